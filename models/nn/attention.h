#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

namespace terminus::models::nn {

// Bidirectional self-attention over texts that lie one behind the other, without padding.
// qkv [tokens, 3 · heads · head_dim] (queries, keys, values; heads inside each); `offsets` holds
// the first token of each text and behind them the number of tokens. → [tokens, heads · head_dim].
at::Tensor PackedSelfAttention(const at::Tensor& qkv, const std::vector<int32_t>& offsets,
                               int heads);

}  // namespace terminus::models::nn
