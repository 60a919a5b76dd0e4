#include "models/bundle/preprocessor_file.h"

#include <filesystem>

#include "common/base/errors.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/settings/json_file.h"

namespace terminus::models::bundle {
namespace {

constexpr size_t kMaxJsonBytes = 1 << 20;

absl::StatusOr<media::ImagePreprocessor> Read(const std::string& path, const std::string& json,
                                              media::Conversion conversion) {
  auto preprocessor = media::ImagePreprocessor::FromJson(json, conversion);
  TERMINUS_RETURN_IF_ERROR(base::Annotate(preprocessor.status(), path));
  return preprocessor;
}

}  // namespace

absl::StatusOr<media::ImagePreprocessor> ReadPreprocessorFile(const std::string& folder,
                                                              media::Conversion conversion) {
  const std::string nested = folder + "/processor_config.json";
  if (std::filesystem::exists(nested)) {
    TERMINUS_ASSIGN_OR_RETURN(const auto file, settings::JsonFile::Read(nested));
    const auto section = file.json().find("image_processor");
    if (section != file.json().end()) {
      return Read(nested + ": image_processor", section->dump(), conversion);
    }
  }
  const std::string path = folder + "/preprocessor_config.json";
  TERMINUS_ASSIGN_OR_RETURN(const std::string json, base::ReadFile(path, kMaxJsonBytes));
  return Read(path, json, conversion);
}

}  // namespace terminus::models::bundle
