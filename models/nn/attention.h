#pragma once

#include <ATen/ATen.h>

#include <optional>

#include "models/nn/sequences.h"

namespace terminus::models::nn {

// Self-attention within sequences: of each token to its whole sequence or, if `causal`, to what
// comes before it and itself. qkv [rows, 3 · heads · head_dim] (queries, keys, values; heads inside
// each) → [rows, heads · head_dim]; rows of no sequence are left undefined. With `fp8_scale`, where
// AttentionWritesFp8 says so, the result is E4M3 of the values times it.
at::Tensor PackedSelfAttention(const at::Tensor& qkv, const Sequences& sequences, int heads,
                               bool causal = false, std::optional<float> fp8_scale = std::nullopt);

// Whether PackedSelfAttention of values like those of `like`, in heads of `head_dim`, can be
// recorded as part of a CUDA graph for sequences up to `longest`, with offsets that only the device
// knows.
bool AttentionIsCapturable(const at::Tensor& like, int64_t head_dim, int32_t longest);

bool AttentionWritesFp8(const at::Tensor& qkv, const Sequences& sequences, int heads);

}  // namespace terminus::models::nn
