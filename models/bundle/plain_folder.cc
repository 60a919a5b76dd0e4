#include "models/bundle/plain_folder.h"

#include <cmath>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"
#include "common/executor/guard.h"
#include "common/settings/json_file.h"
#include "models/bundle/fingerprint.h"
#include "models/catalog/catalog.h"
#include "models/checkpoint/weights.h"
#include "models/decoder/llama_config.h"
#include "models/text/families.h"
#include "models/text/sentence_config.h"
#include "models/vision/families.h"

namespace terminus::models::bundle {
namespace {

namespace fs = std::filesystem;

// Some checkpoints have one of them before all names.
constexpr absl::string_view kPrefixes[] = {"clip.", "siglip."};

absl::Status Need(const std::string& path) {
  if (fs::exists(path)) {
    return absl::OkStatus();
  }
  return absl::NotFoundError(absl::StrCat(path, ": no such file"));
}

absl::Status NeedWeights(const std::string& folder) {
  if (fs::exists(folder + "/model.safetensors.index.json")) {
    return absl::OkStatus();
  }
  return Need(folder + "/model.safetensors");
}

// Both towers' vectors must lie in one space.
absl::Status SetDimension(const std::string& folder, int dimension, Space* space) {
  if (space->dimension != 0 && space->dimension != dimension) {
    return absl::InvalidArgumentError(absl::StrCat(folder, "/config.json: texts have vectors of ",
                                                   space->dimension, " elements, images of ",
                                                   dimension));
  }
  space->dimension = dimension;
  return absl::OkStatus();
}

// What cosines of texts and images are multiplied by before a softmax or a sigmoid; 1 where the
// checkpoint does not say.
absl::StatusOr<double> ReadLogitScale(const std::string& folder) {
  TERMINUS_ASSIGN_OR_RETURN(auto weights,
                            checkpoint::Weights::Open(folder, at::kCPU, {.prefixes = kPrefixes}));
  const auto shape = weights.ShapeOf("logit_scale");
  if (!shape || c10::multiply_integers(*shape) != 1) {
    return 1.0;
  }
  const double scale = std::exp(weights.Get("logit_scale", *shape).item<double>());
  TERMINUS_RETURN_IF_ERROR(weights.Finish());
  return scale;
}

absl::Status AddText(const std::string& folder, const text::SentenceConfig& sentence,
                     BundleManifest* manifest) {
  TERMINUS_ASSIGN_OR_RETURN(const text::TextPlan plan, text::ReadTextPlan(sentence));
  TERMINUS_RETURN_IF_ERROR(Need(sentence.encoder_folder + "/tokenizer.json"));
  TERMINUS_RETURN_IF_ERROR(NeedWeights(sentence.encoder_folder));
  manifest->text = TextSection{.path = folder};
  return SetDimension(folder, plan.dimension, &manifest->space);
}

absl::Status AddVision(const std::string& folder, BundleManifest* manifest) {
  TERMINUS_ASSIGN_OR_RETURN(const vision::VisionPlan plan, vision::ReadVisionPlan(folder));
  if (!plan.timm && !fs::exists(folder + "/processor_config.json")) {
    TERMINUS_RETURN_IF_ERROR(Need(folder + "/preprocessor_config.json"));
  }
  TERMINUS_RETURN_IF_ERROR(NeedWeights(folder));
  manifest->vision = VisionSection{.path = folder, .projection = {}};
  return SetDimension(folder, plan.dimension, &manifest->space);
}

absl::Status AddDecoder(const std::string& folder, BundleManifest* manifest) {
  TERMINUS_RETURN_IF_ERROR(decoder::ReadLlamaConfig(folder).status());
  TERMINUS_RETURN_IF_ERROR(Need(folder + "/tokenizer.json"));
  TERMINUS_RETURN_IF_ERROR(NeedWeights(folder));
  manifest->decoder = DecoderSection{.path = folder};
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<BundleManifest> ReadPlainFolder(const std::string& folder, bool identify) {
  BundleManifest manifest{.folder = folder};
  manifest.name = fs::weakly_canonical(folder).filename().string();
  TERMINUS_ASSIGN_OR_RETURN(const text::SentenceConfig sentence, text::ReadSentenceConfig(folder));
  const std::string config_path = sentence.encoder_folder + "/config.json";
  TERMINUS_ASSIGN_OR_RETURN(const auto config, settings::JsonFile::Read(config_path));
  const auto family =
      catalog::FindFamily(config.json(), /*has_modules=*/fs::exists(folder + "/modules.json"));
  TERMINUS_RETURN_IF_ERROR(base::Annotate(family.status(), config_path));
  if ((*family)->text) {
    TERMINUS_RETURN_IF_ERROR(AddText(folder, sentence, &manifest));
  }
  if ((*family)->image) {
    TERMINUS_RETURN_IF_ERROR(AddVision(folder, &manifest));
  }
  if ((*family)->generate) {
    TERMINUS_RETURN_IF_ERROR(AddDecoder(folder, &manifest));
  }
  if (manifest.text && manifest.vision) {
    TERMINUS_RETURN_IF_ERROR(executor::RunGuarded([&]() -> absl::Status {
      TERMINUS_ASSIGN_OR_RETURN(manifest.space.logit_scale, ReadLogitScale(folder));
      return absl::OkStatus();
    }));
  }
  if (identify) {
    TERMINUS_ASSIGN_OR_RETURN(manifest.space.id, Fingerprint(folder));
  }
  return manifest;
}

std::vector<std::string> TextFamilyNames() {
  std::vector<std::string> names;
  for (const text::TextFamily& family : text::TextFamilies()) {
    names.emplace_back(family.model_type);
  }
  return names;
}

std::vector<std::string> VisionFamilyNames() {
  std::vector<std::string> names;
  for (const vision::VisionFamily& family : vision::VisionFamilies()) {
    names.emplace_back(family.type);
  }
  return names;
}

}  // namespace terminus::models::bundle
