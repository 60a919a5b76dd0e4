#pragma once

#include <cstdint>

#include "absl/types/span.h"
#include "models/kernels/simd_width.h"

namespace terminus::models::kernels {

// Self-attention over texts that lie one behind the other, without padding:
//   out = softmax(Q Kᵀ / sqrt(head_dim)) V, for each text and head alone;
// a causal one sees of its text what comes before it and itself.
struct PackedAttentionArgs {
  // [tokens, 3, heads, head_dim]: queries, keys, values.
  const float* qkv = nullptr;
  // [tokens, heads, head_dim].
  float* out = nullptr;
  // First token of each text, and behind them the number of tokens: [texts + 1].
  absl::Span<const int32_t> offsets;
  int heads = 0;
  // A multiple of 16.
  int head_dim = 0;
  bool causal = false;
};

bool PackedAttentionSupports(int head_dim);

// Runs on the calling thread and LibTorch's. `width` is one of kSimdWidths that the processor
// supports, or 0 for code that runs on any.
void PackedAttention(const PackedAttentionArgs& args, int width = SimdWidth());

}  // namespace terminus::models::kernels
