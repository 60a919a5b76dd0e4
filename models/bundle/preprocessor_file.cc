#include "models/bundle/preprocessor_file.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/media/preprocessor_keys.h"
#include "common/settings/json_file.h"

namespace terminus::models::bundle {
namespace {

using terminus::settings::JsonFile;

constexpr size_t kMaxJsonBytes = 1 << 20;

struct ClassOfType {
  absl::string_view model_type;
  absl::string_view name;
};
// transformers has none for a tower of CLIP or SigLIP that is saved alone.
constexpr ClassOfType kClasses[] = {
    {"clip", "CLIPImageProcessor"},       {"dinov2", "BitImageProcessor"},
    {"resnet", "ConvNextImageProcessor"}, {"siglip", "SiglipImageProcessor"},
    {"vit", "ViTImageProcessor"},
};

// The class of the model in `folder`; empty where there is no model of transformers.
absl::StatusOr<std::string> ClassOfModel(const std::string& folder, const std::string& path) {
  const std::string config_path = folder + "/config.json";
  if (!std::filesystem::exists(config_path)) {
    return "";
  }
  TERMINUS_ASSIGN_OR_RETURN(JsonFile config, JsonFile::Read(config_path));
  if (config.Has("architecture")) {
    return "";
  }
  const std::string type = config.StringOr("model_type", "");
  TERMINUS_RETURN_IF_ERROR(config.status());
  for (const ClassOfType& known : kClasses) {
    if (type == known.model_type) {
      return std::string(known.name);
    }
  }
  return absl::InvalidArgumentError(absl::StrCat(
      path, ": image_processor_type: missing, and transformers has none for \"", type, "\""));
}

absl::StatusOr<media::ImagePreprocessor> Read(const std::string& folder, const std::string& path,
                                              const std::string& json,
                                              media::Conversion conversion) {
  TERMINUS_ASSIGN_OR_RETURN(const JsonFile file, JsonFile::Parse(path, json));
  std::string otherwise;
  if (!file.Has("image_processor_type") && !file.Has("feature_extractor_type")) {
    TERMINUS_ASSIGN_OR_RETURN(otherwise, ClassOfModel(folder, path));
  }
  TERMINUS_ASSIGN_OR_RETURN(const media::PreprocessorConfig config,
                            media::ReadPreprocessorConfig(path, json, otherwise));
  return media::ImagePreprocessor(config, conversion);
}

}  // namespace

absl::StatusOr<media::ImagePreprocessor> ReadPreprocessorFile(
    const std::string& folder, media::Conversion conversion,
    const absl::optional<media::PreprocessorConfig>& otherwise) {
  const std::string nested = folder + "/processor_config.json";
  if (std::filesystem::exists(nested)) {
    TERMINUS_ASSIGN_OR_RETURN(const auto file, JsonFile::Read(nested, &media::kProcessorConfig));
    TERMINUS_RETURN_IF_ERROR(file.status());
    if (const nlohmann::json* section = file.Find("image_processor")) {
      return Read(folder, nested + ": image_processor", section->dump(), conversion);
    }
  }
  const std::string path = folder + "/preprocessor_config.json";
  if (otherwise && !std::filesystem::exists(path)) {
    return media::ImagePreprocessor(*otherwise, conversion);
  }
  TERMINUS_ASSIGN_OR_RETURN(const std::string json, base::ReadFile(path, kMaxJsonBytes));
  return Read(folder, path, json, conversion);
}

}  // namespace terminus::models::bundle
