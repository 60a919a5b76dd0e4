#include "models/nn/linear.h"

#include "models/nn/mkldnn.h"

namespace terminus::models::nn {
namespace {

bool Packs(const at::Tensor& weight) {
  return weight.device().is_cpu() && weight.scalar_type() == at::kFloat;
}

}  // namespace

Linear::Linear(const at::Tensor& weight, const std::optional<at::Tensor>& bias)
    : packed_(Packs(weight)), weight_(packed_ ? mkldnn::PackLinear(weight) : weight) {
  if (bias) {
    bias_ = bias->clone();
  }
}

at::Tensor Linear::Forward(const at::Tensor& x, Activation activation) const {
  if (packed_) {
    return mkldnn::Linear(x, weight_, bias_, activation);
  }
  at::Tensor y = at::linear(x, weight_, bias_);
  switch (activation) {
    case Activation::kNone:
      return y;
    case Activation::kRelu:
      return y.relu_();
    case Activation::kRelu6:
      return y.clamp_(0, 6);
    case Activation::kGelu:
      return at::gelu(y);
    case Activation::kGeluTanh:
      return at::gelu(y, "tanh");
  }
  return y;
}

at::Tensor Linear::ForwardAdd(const at::Tensor& x, const at::Tensor& residual) const {
  if (packed_) {
    return mkldnn::LinearAdd(x, residual, weight_, bias_);
  }
  return at::linear(x, weight_, bias_).add_(residual);
}

}  // namespace terminus::models::nn
