#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

namespace terminus::models::nn {

// Self-attention over texts that lie one behind the other, without padding: of each token to its
// whole text or, if `causal`, to what comes before it and itself. The patches of images are texts
// of equal length, which other devices than the CPU attend to in one go.
// qkv [tokens, 3 · heads · head_dim] (queries, keys, values; heads inside each); `offsets` holds
// the first token of each text and behind them the number of tokens. → [tokens, heads · head_dim].
at::Tensor PackedSelfAttention(const at::Tensor& qkv, const std::vector<int32_t>& offsets,
                               int heads, bool causal = false);

}  // namespace terminus::models::nn
