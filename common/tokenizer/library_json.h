#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace terminus::tokenizer {

// The number that the library "tokenizers" reads from a JSON number with a fraction, an exponent
// or more digits than 64 bits hold. It reads the digits as one whole number and scales that once
// by a power of ten, so that the last bit may differ from the nearest double. The sums of a
// Unigram vocabulary are compared bit by bit, hence this counts. Requires: `text` is a number of
// JSON's grammar.
double LibraryDouble(absl::string_view text);

// A JSON document whose numbers are read as the library does it. INVALID_ARGUMENT says what is
// wrong with the text, and where.
absl::StatusOr<nlohmann::json> ParseLibraryJson(absl::string_view text);

// The same with the nearest doubles, as Python reads a document.
absl::StatusOr<nlohmann::json> ParseJson(absl::string_view text);

}  // namespace terminus::tokenizer
