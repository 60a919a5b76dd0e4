#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "common/media/preprocessor.h"

namespace terminus::models::bundle {

// How a model's folder says that pictures are to be prepared: the "image_processor" of
// processor_config.json where there is one, as transformers 5 writes and prefers it, else
// preprocessor_config.json, else `otherwise`. Where the file names no class of image processor, the
// one holds that transformers has for the "model_type" of config.json. Errors name the file and the
// key; NOT_FOUND where there is none of the three.
absl::StatusOr<media::ImagePreprocessor> ReadPreprocessorFile(
    const std::string& folder, media::Conversion conversion,
    const absl::optional<media::PreprocessorConfig>& otherwise = {});

}  // namespace terminus::models::bundle
