#pragma once

#include <ATen/ATen.h>

#include <optional>

namespace terminus::models::nn {

// y = (x - mean) / sqrt(variance + eps) · weight + bias, over the last dimension.
struct LayerNorm {
  at::Tensor weight;
  at::Tensor bias;
  double eps = 1e-12;

  // x [..., width] → the same shape. With `fp8_scale`, on a GPU and in bfloat16, E4M3 of the values
  // times it.
  at::Tensor Forward(const at::Tensor& x, std::optional<float> fp8_scale = std::nullopt) const;
};

}  // namespace terminus::models::nn
