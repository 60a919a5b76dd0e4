#pragma once

#include "absl/status/status.h"
#include "models/text/sentence_config.h"

namespace terminus::models::text {

// Reads sentence_bert_config.json of config->encoder_folder, or the file that stands in its place
// for another kind of encoder: limits of a text's tokens, and lower-casing. A folder without one
// changes nothing. INVALID_ARGUMENT says what is not supported.
absl::Status ReadTransformerModule(SentenceConfig* config);

}  // namespace terminus::models::text
