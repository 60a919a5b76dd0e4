#pragma once

#include <cstdint>

#include "absl/types/span.h"

namespace terminus::models::decoder {

// Tokens of one KV block (a page), keys and values alike.
inline constexpr int kKvBlockTokens = 16;

// Where the keys and values of several sequences lie: a table of blocks for each, all tables one
// behind the other. Filled by whoever owns the blocks; models know no requests. A block may stand
// in several tables (a shared prefix) as long as no step writes to it.
struct KvView {
  // [sequences + 1]: the first entry of each sequence's table in `indices`, then their number.
  absl::Span<const int32_t> indptr;
  // Block ids, below CausalLm::kv_blocks().
  absl::Span<const int32_t> indices;
  // [sequences]: tokens in the last block of each, 1 to kKvBlockTokens, AFTER the step's tokens are
  // written. All blocks before it are full.
  absl::Span<const int32_t> last_page_len;
};

}  // namespace terminus::models::decoder
