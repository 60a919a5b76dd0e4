#include "models/nn/layer_norm.h"

#include "common/base/check.h"
#include "models/kernels/norm/layer_norm.h"
#include "models/nn/cuda_ops.h"

namespace terminus::models::nn {

at::Tensor LayerNorm::Forward(const at::Tensor& x, std::optional<float> fp8_scale) const {
  if (cuda_ops::Serves(x) && x.is_contiguous() && cuda_ops::TakesLayerNorm(weight.numel())) {
    return cuda_ops::LayerNorm(x, weight, bias, eps, fp8_scale);
  }
  TERMINUS_CHECK(!fp8_scale);
  if (!x.device().is_cpu() || x.scalar_type() != at::kFloat || !x.is_contiguous()) {
    return at::layer_norm(x, weight.sizes(), weight, bias, eps);
  }
  at::Tensor y = at::empty_like(x);
  kernels::LayerNorm({.x = x.const_data_ptr<float>(),
                      .weight = weight.const_data_ptr<float>(),
                      .bias = bias.const_data_ptr<float>(),
                      .y = y.mutable_data_ptr<float>(),
                      .rows = x.numel() / weight.numel(),
                      .width = weight.numel(),
                      .eps = static_cast<float>(eps)});
  return y;
}

}  // namespace terminus::models::nn
