#pragma once

#include <ATen/ATen.h>

namespace terminus::models::nn {

// y = (x - mean) / sqrt(variance + eps) · weight + bias, over the last dimension.
struct LayerNorm {
  at::Tensor weight;
  at::Tensor bias;
  double eps = 1e-12;

  // x [..., width] → the same shape.
  at::Tensor Forward(const at::Tensor& x) const;
};

}  // namespace terminus::models::nn
