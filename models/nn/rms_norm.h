#pragma once

#include <ATen/ATen.h>

namespace terminus::models::nn {

// y = x / sqrt(mean(x²) + eps) · weight over the last dimension, the mean in float32: "Root Mean
// Square Layer Normalization" (Zhang and Sennrich, 2019).
struct RmsNorm {
  at::Tensor weight;
  double eps = 1e-6;

  // x [..., width] → the same shape.
  at::Tensor Forward(const at::Tensor& x) const;
};

}  // namespace terminus::models::nn
