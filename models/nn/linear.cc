#include "models/nn/linear.h"

#include <algorithm>

#include "common/base/check.h"
#include "models/kernels/gemm/packed_gemm.h"
#include "models/nn/cuda_ops.h"
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

// As cuda_ops takes it: more inputs, of weight 0, where their number is not a multiple of 8.
at::Tensor PadInputs(const at::Tensor& tensor) {
  const int64_t missing = (8 - tensor.size(1) % 8) % 8;
  return missing == 0 ? tensor.contiguous() : at::constant_pad_nd(tensor, {0, missing});
}

// May change `y`.
at::Tensor Activated(at::Tensor y, Activation activation) {
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

// The largest number of E4M3.
constexpr double kMaxFp8 = 448;

}  // namespace

Linear::Path Linear::PathFor(const at::Tensor& weight) {
  if (cuda_ops::Serves(weight) && cuda_ops::TakesMatmul(0, weight.size(0), /*fp8=*/false)) {
    return Path::kCuda;
  }
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
    case Path::kCuda:
      weight_ = PadInputs(weight);
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

at::Tensor Linear::RunCuda(const at::Tensor& x, const at::Tensor& residual, Activation activation,
                           std::optional<float> fp8_scale) const {
  // What the products do not apply themselves, or what turns their results into FP8.
  const bool pass = fp8_scale.has_value() || activation == Activation::kRelu6;
  const at::Tensor bias = bias_.value_or(at::Tensor());
  const Activation inside = pass ? Activation::kNone : activation;
  at::Tensor y;
  if (fp8_) {
    const at::Tensor input = x.scalar_type() == at::kFloat8_e4m3fn
                                 ? x
                                 : cuda_ops::Activate(x, Activation::kNone, fp8_->input_scale);
    y = cuda_ops::Matmul({.x = input,
                          .weight = fp8_->weight,
                          .bias = bias,
                          .residual = residual,
                          .activation = inside,
                          .x_scale = fp8_->x_scale,
                          .weight_scale = fp8_->weight_scale});
  } else {
    y = cuda_ops::Matmul({.x = PadInputs(x),
                          .weight = weight_,
                          .bias = bias,
                          .residual = residual,
                          .activation = inside,
                          .x_scale = {},
                          .weight_scale = {}});
  }
  if (!pass) {
    return y;
  }
  return activation == Activation::kRelu6 ? y.clamp_(0, 6)
                                          : cuda_ops::Activate(y, activation, fp8_scale);
}

at::Tensor Linear::Forward(const at::Tensor& x, Activation activation,
                           std::optional<float> fp8_scale) const {
  switch (path_) {
    case Path::kKernel:
      return RunKernel(x, nullptr, activation);
    case Path::kOneDnn:
      return mkldnn::Linear(x, weight_, bias_, activation);
    case Path::kCuda:
      return RunCuda(x, {}, activation, fp8_scale);
    case Path::kPlain:
      break;
  }
  TERMINUS_CHECK(!fp8_scale);
  return Activated(at::linear(x.slice(1, 0, in_), weight_, bias_), activation);
}

at::Tensor Linear::ForwardAdd(const at::Tensor& x, const at::Tensor& residual,
                              Activation activation) const {
  switch (path_) {
    case Path::kKernel:
      // The kernel would add the residual last.
      return Activated(RunKernel(x, &residual, Activation::kNone), activation);
    case Path::kOneDnn:
      return Activated(mkldnn::LinearAdd(x, residual, weight_, bias_), activation);
    case Path::kCuda:
      return RunCuda(x, residual, activation, std::nullopt);
    case Path::kPlain:
      break;
  }
  return Activated(at::linear(x, weight_, bias_).add_(residual), activation);
}

bool Linear::UseFp8(double largest) {
  if (path_ != Path::kCuda || weight_.size(1) != in_ ||
      !cuda_ops::TakesMatmul(in_, out_, /*fp8=*/true)) {
    return false;
  }
  const auto on_device = [&](double value) {
    return at::full({1}, value, weight_.options().dtype(at::kFloat));
  };
  const at::Tensor wide = weight_.to(at::kFloat);
  const double weight_scale = std::max(wide.abs().max().item<double>(), 1e-12) / kMaxFp8;
  // Room for inputs of twice the size.
  const double input_scale = kMaxFp8 / (2 * std::max(largest, 1e-12));
  fp8_ = Fp8{.weight = (wide / weight_scale).to(at::kFloat8_e4m3fn),
             .weight_scale = on_device(weight_scale),
             .x_scale = on_device(1 / input_scale),
             .input_scale = static_cast<float>(input_scale)};
  weight_ = at::Tensor();
  return true;
}

}  // namespace terminus::models::nn
