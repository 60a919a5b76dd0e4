#include "models/bundle/bundle.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"
#include "common/executor/guard.h"
#include "common/settings/collector.h"
#include "common/settings/json_file.h"
#include "common/tokenizer/embedding_rows.h"
#include "common/tokenizer/folder.h"
#include "models/bundle/device.h"
#include "models/bundle/preprocessor_file.h"
#include "models/bundle/template_source.h"
#include "models/bundle/tower.h"
#include "models/checkpoint/weights.h"
#include "models/text/families.h"
#include "models/text/text_encoder.h"
#include "models/vision/families.h"
#include "models/vision/vision_encoder.h"

namespace terminus::models::bundle {
namespace {

// Larger batches are cut: the GPU is long busy with as many images, or with as many pixels.
constexpr int64_t kMaxGpuImages = 256;
constexpr int64_t kMaxGpuPixels = kMaxGpuImages * 256 * 256;

int MaxGpuBatch(const media::ImagePreprocessor& preprocessor) {
  const int64_t pixels = int64_t{preprocessor.height()} * preprocessor.width();
  return static_cast<int>(std::clamp<int64_t>(kMaxGpuPixels / pixels, 1, kMaxGpuImages));
}

absl::Status CheckDimension(const BundleManifest& manifest, const std::string& path,
                            int dimension) {
  if (dimension == manifest.space.dimension) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(path, " makes vectors of ", dimension,
                                                 " elements, the space has ",
                                                 manifest.space.dimension));
}

absl::StatusOr<vision::ClassMixture> LoadProjection(const Projection& projection, int classes,
                                                    int dimension, const nn::Placement& placement) {
  if (classes == 0) {
    return absl::InvalidArgumentError(
        "projection: the image model has no classes, whose names' vectors could be mixed");
  }
  if (projection.top_k > classes) {
    return absl::InvalidArgumentError(absl::StrCat("projection.top_k: ", projection.top_k,
                                                   ", the model has ", classes, " classes"));
  }
  TERMINUS_ASSIGN_OR_RETURN(auto weights,
                            checkpoint::Weights::Open(projection.path, placement.device));
  vision::ClassMixture mixture{
      .class_vectors = weights.Get("class_vectors", {classes, dimension})
                           .to(placement.dtype, /*non_blocking=*/false, /*copy=*/true),
      .top_k = projection.top_k,
      .temperature = projection.temperature};
  TERMINUS_RETURN_IF_ERROR(weights.Finish());
  return mixture;
}

absl::StatusOr<nn::Placement> PlacementOf(const DeviceOptions& options) {
  if (options.check_only) {
    return nn::Placement{.device = at::kMeta};
  }
  return ResolvePlacement(options.device, options.precision);
}

// The largest difference of an element that rounding makes in vectors of length 1: about what a
// cosine of 0.999 leaves.
double ToleranceOf(const nn::Placement& placement) {
  return placement.dtype == at::kFloat ? 0 : 0.03;
}

// With a modules.json, texts are messages only if its Transformer says so. Without one,
// sentence-transformers makes each text a message as soon as the tokenizer has a chat template.
absl::Status CheckNoMessages(const text::SentenceConfig& sentence) {
  if (sentence.has_modules) {
    return absl::OkStatus();
  }
  TERMINUS_ASSIGN_OR_RETURN(const text::TextPlan plan, text::ReadTextPlan(sentence));
  if (!plan.plain_sentences) {
    return absl::OkStatus();
  }
  TERMINUS_ASSIGN_OR_RETURN(const auto source, ReadTemplateSource(sentence.encoder_folder));
  if (!source) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat(source->place,
                   ": without a modules.json, sentence-transformers renders texts as messages "
                   "with it, which is not supported; remove it, or add a modules.json"));
}

absl::Status LoadTextInto(const BundleManifest& manifest, const nn::Placement& placement,
                          TextModel* model) {
  const std::string& path = manifest.text->path;
  TERMINUS_ASSIGN_OR_RETURN(auto encoder, text::TextEncoder::Load(path, placement));
  TERMINUS_RETURN_IF_ERROR(CheckDimension(manifest, path, encoder->dimension()));
  const text::SentenceConfig& sentence = encoder->sentence_config();
  const std::string& folder = sentence.encoder_folder;
  TERMINUS_RETURN_IF_ERROR(CheckNoMessages(sentence));
  TERMINUS_ASSIGN_OR_RETURN(tokenizer::FolderTokenizer tokenizer,
                            tokenizer::LoadFolder(folder, {.lower_case = sentence.lower_case}));
  model->embedding_rows = encoder->vocabulary_size();
  WarnOfTokensBeyond(folder + "/tokenizer.json", *tokenizer.tokenizer, model->embedding_rows);
  text::TokenLimit limit = encoder->limit();
  if (tokenizer.model_max_length && *tokenizer.model_max_length < limit.tokens) {
    limit = {.tokens = static_cast<int>(*tokenizer.model_max_length),
             .source = "model_max_length of tokenizer_config.json"};
  }
  model->tokenizer = std::move(tokenizer.tokenizer);
  model->max_tokens = limit.tokens;
  model->max_tokens_source = std::move(limit.source);
  model->prompts = sentence.prompts;
  model->default_prompt = sentence.default_prompt;
  model->encoder = std::move(encoder);
  return absl::OkStatus();
}

absl::Status LoadTowerInto(const BundleManifest& manifest, const std::string& path,
                           const absl::optional<Projection>& projection,
                           const nn::Placement& placement, VisionModel* model) {
  // The pictures of timm folders have always been laid over white.
  TERMINUS_ASSIGN_OR_RETURN(const vision::VisionPlan plan, vision::ReadVisionPlan(path));
  TERMINUS_ASSIGN_OR_RETURN(
      auto preprocessor,
      ReadPreprocessorFile(
          path, plan.timm ? media::Conversion::kOverWhite : media::Conversion::kLikeTransformers,
          plan.timm));
  model->preprocessor = std::make_unique<const media::ImagePreprocessor>(preprocessor);
  TERMINUS_ASSIGN_OR_RETURN(auto encoder,
                            vision::VisionEncoder::Load(path, *model->preprocessor, placement));
  if (projection) {
    TERMINUS_ASSIGN_OR_RETURN(auto mixture, LoadProjection(*projection, encoder->classes(),
                                                           manifest.space.dimension, placement));
    encoder->set_projection(std::move(mixture));
  }
  TERMINUS_RETURN_IF_ERROR(CheckDimension(manifest, path, encoder->dimension()));
  TERMINUS_RETURN_IF_ERROR(
      base::Annotate(encoder->Prepare(MaxGpuBatch(*model->preprocessor)), path));
  model->encoder = std::move(encoder);
  return absl::OkStatus();
}

}  // namespace

absl::Status NoSection(const BundleManifest& manifest, const char* modality) {
  std::vector<std::string> there;
  if (manifest.text) there.push_back("text");
  if (manifest.vision) there.push_back("image");
  if (manifest.video) there.push_back("video");
  if (manifest.decoder) there.push_back("a language model");
  return base::MakeError(absl::StatusCode::kFailedPrecondition, base::kReasonNotInBundle,
                         absl::StrCat(manifest.folder, " (", manifest.name, ") has no ", modality,
                                      " encoder; it has: ", absl::StrJoin(there, ", ")));
}

absl::StatusOr<TextModel> LoadText(const BundleManifest& manifest, const DeviceOptions& options) {
  if (!manifest.text) {
    return NoSection(manifest, "text");
  }
  executor::SetComputeThreads(options.threads);
  TERMINUS_ASSIGN_OR_RETURN(const nn::Placement placement, PlacementOf(options));
  TextModel model{.device = placement.device.str(), .tolerance = ToleranceOf(placement)};
  TERMINUS_RETURN_IF_ERROR(
      executor::RunGuarded([&] { return LoadTextInto(manifest, placement, &model); }));
  return model;
}

absl::StatusOr<VisionModel> LoadVision(const BundleManifest& manifest,
                                       const DeviceOptions& options) {
  if (!manifest.vision) {
    return NoSection(manifest, "image");
  }
  return LoadTower(manifest, manifest.vision->path, manifest.vision->projection, options);
}

void WarnOfTokensBeyond(const std::string& path, const tokenizer::Tokenizer& tokenizer, int rows) {
  const std::string warning = tokenizer::TokensBeyondWarning(path, tokenizer, rows);
  if (!warning.empty()) {
    settings::Warn(warning);
  }
}

absl::StatusOr<VisionModel> LoadTower(const BundleManifest& manifest, const std::string& path,
                                      const absl::optional<Projection>& projection,
                                      const DeviceOptions& options) {
  executor::SetComputeThreads(options.threads);
  TERMINUS_ASSIGN_OR_RETURN(const nn::Placement placement, PlacementOf(options));
  VisionModel model{.device = placement.device.str(), .tolerance = ToleranceOf(placement)};
  TERMINUS_RETURN_IF_ERROR(executor::RunGuarded(
      [&] { return LoadTowerInto(manifest, path, projection, placement, &model); }));
  return model;
}

}  // namespace terminus::models::bundle
