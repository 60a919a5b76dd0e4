#pragma once

#include <ATen/ATen.h>

namespace terminus::models::nn {

// y = (x - mean) / sqrt(variance + eps) · weight + bias, over the last dimension.
struct LayerNorm {
  at::Tensor weight;
  at::Tensor bias;
  double eps = 1e-12;

  at::Tensor Forward(const at::Tensor& x) const {
    return at::layer_norm(x, weight.sizes(), weight, bias, eps);
  }
};

}  // namespace terminus::models::nn
