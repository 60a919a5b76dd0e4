#pragma once

#include <nlohmann/json.hpp>

#include "absl/status/status.h"

namespace terminus::tokenizer {

// SiglipTokenizer works on spiece.model: it lowers the case if `lowers`, drops ASCII punctuation,
// makes white space one blank, and drops it at the ends. Checks that the normalizer of a
// tokenizer.json does so, as files that were made from spiece.model do. INVALID_ARGUMENT says what
// it leaves.
absl::Status CheckSiglip(const nlohmann::json& document, bool lowers);

}  // namespace terminus::tokenizer
