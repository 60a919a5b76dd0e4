#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/media/preprocessor.h"

namespace terminus::models::bundle {

// How a model's folder says that pictures are to be prepared: the "image_processor" of
// processor_config.json where there is one, as transformers 5 writes and prefers it, else
// preprocessor_config.json. Errors name the file and the key.
absl::StatusOr<media::ImagePreprocessor> ReadPreprocessorFile(const std::string& folder,
                                                              media::Conversion conversion);

}  // namespace terminus::models::bundle
