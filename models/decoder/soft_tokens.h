#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace terminus::models::decoder {

// Embeddings that stand in for tokens: what an encoder made of an image or a clip. Immutable.
struct SoftTokens {
  uint64_t content_hash = 0;
  int32_t rows = 0;
  std::vector<float> values;  // [rows, hidden_size]
};

// Tokens [first_token, first_token + rows) of a step, or of a prompt, get rows
// [first_row, first_row + rows) of `tokens` in place of their ids' embeddings.
struct SoftSpan {
  int32_t first_token = 0;
  int32_t first_row = 0;
  int32_t rows = 0;
  std::shared_ptr<const SoftTokens> tokens;
};

}  // namespace terminus::models::decoder
