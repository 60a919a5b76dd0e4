#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/tokenizer/tokenizer.h"

// Tokens that a model has no embedding of: a tokenizer may have got added tokens that the model's
// table of embeddings was never resized for. A model computes all texts but those that hold them.
namespace terminus::tokenizer {

// The tokenizer's tokens with ids of `rows` or more, by id.
std::vector<std::string> TokensBeyond(const Tokenizer& tokenizer, int32_t rows);

// A warning for a folder whose tokenizer has such tokens; empty where it has none. `path` is the
// tokenizer's file.
std::string TokensBeyondWarning(const std::string& path, const Tokenizer& tokenizer, int32_t rows);

// OK, or INVALID_ARGUMENT that names the first of `ids` that is such a token, with its text.
absl::Status CheckRows(const Tokenizer& tokenizer, absl::Span<const int32_t> ids, int32_t rows);

}  // namespace terminus::tokenizer
