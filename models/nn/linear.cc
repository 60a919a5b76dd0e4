#include "models/nn/linear.h"

#include "models/kernels/gemm/packed_gemm.h"
#include "models/nn/mkldnn.h"

namespace terminus::models::nn {
namespace {

at::Tensor Pack(const at::Tensor& weight) {
  const at::Tensor rows = weight.contiguous();
  at::Tensor packed = at::empty({kernels::PackedSize(rows.size(1), rows.size(0))});
  kernels::PackWeight(rows.const_data_ptr<float>(), rows.size(1), rows.size(0),
                      packed.mutable_data_ptr<float>());
  return packed;
}

}  // namespace

Linear::Path Linear::PathFor(const at::Tensor& weight) {
  if (!weight.device().is_cpu() || weight.scalar_type() != at::kFloat) {
    return Path::kPlain;
  }
  return kernels::SimdWidth() > 0 ? Path::kKernel : Path::kOneDnn;
}

Linear::Linear(const at::Tensor& weight, const std::optional<at::Tensor>& bias)
    : path_(PathFor(weight)), in_(weight.size(1)), out_(weight.size(0)) {
  switch (path_) {
    case Path::kKernel:
      weight_ = Pack(weight);
      break;
    case Path::kOneDnn:
      weight_ = mkldnn::PackLinear(weight);
      break;
    case Path::kPlain:
      weight_ = weight;
      break;
  }
  if (bias) {
    bias_ = bias->clone();
  }
}

at::Tensor Linear::RunKernel(const at::Tensor& x, const at::Tensor* residual,
                             Activation activation) const {
  at::Tensor y = at::empty({x.size(0), out_}, x.options());
  kernels::PackedGemm(
      {.x = x.const_data_ptr<float>(),
       .weight = weight_.const_data_ptr<float>(),
       .bias = bias_ ? bias_->const_data_ptr<float>() : nullptr,
       .residual = residual == nullptr ? nullptr : residual->const_data_ptr<float>(),
       .y = y.mutable_data_ptr<float>(),
       .rows = x.size(0),
       .in = in_,
       .out = out_,
       .activation = activation});
  return y;
}

at::Tensor Linear::Forward(const at::Tensor& x, Activation activation) const {
  if (path_ == Path::kKernel) {
    return RunKernel(x, nullptr, activation);
  }
  if (path_ == Path::kOneDnn) {
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
    case Activation::kQuickGelu:
      return y * at::sigmoid(1.702 * y);
  }
  return y;
}

at::Tensor Linear::ForwardAdd(const at::Tensor& x, const at::Tensor& residual) const {
  if (path_ == Path::kKernel) {
    return RunKernel(x, &residual, Activation::kNone);
  }
  if (path_ == Path::kOneDnn) {
    return mkldnn::LinearAdd(x, residual, weight_, bias_);
  }
  return at::linear(x, weight_, bias_).add_(residual);
}

}  // namespace terminus::models::nn
