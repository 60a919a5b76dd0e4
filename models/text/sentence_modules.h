#pragma once

#include <string>

#include "absl/status/status.h"
#include "models/text/sentence_config.h"

namespace terminus::models::text {

// Reads FOLDER/modules.json and the config.json of each module but the first into `config`:
// Transformer, Pooling, then any of Dense and Normalize, each known by its full path, old and new
// ones alike. INVALID_ARGUMENT says what is not supported.
absl::Status ReadModules(const std::string& folder, SentenceConfig* config);

}  // namespace terminus::models::text
