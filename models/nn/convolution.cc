#include "models/nn/convolution.h"

#include <algorithm>
#include <array>
#include <limits>

#include "common/base/check.h"
#include "models/kernels/convolution/depthwise.h"
#include "models/nn/mkldnn.h"

namespace terminus::models::nn {
namespace {

// Zeros before and behind one axis.
struct Pads {
  int64_t before;
  int64_t after;
  int64_t out;  // Size after the convolution.
};

Pads PadsFor(const Convolution::Options& options, int64_t size) {
  if (options.padding == Padding::kSymmetric) {
    const int64_t pad = options.kernel / 2;
    return {pad, pad, (size + 2 * pad - options.kernel) / options.stride + 1};
  }
  const int64_t out = (size + options.stride - 1) / options.stride;
  const int64_t total = std::max<int64_t>(0, (out - 1) * options.stride + options.kernel - size);
  return {total / 2, total - total / 2, out};
}

bool IsCpuFloat(const at::Tensor& tensor) {
  return tensor.device().is_cpu() && tensor.scalar_type() == at::kFloat;
}

at::Tensor Activate(at::Tensor y, Activation activation) {
  TERMINUS_CHECK(activation == Activation::kNone || activation == Activation::kRelu6);
  return activation == Activation::kRelu6 ? y.clamp_(0, 6) : y;
}

}  // namespace

Convolution::Convolution(const Options& options, const at::Tensor& weight, const at::Tensor& bias)
    : options_(options), bias_(bias.contiguous()) {
  if (options.kernel == 1 && !options.depthwise) {
    linear_.emplace(weight.flatten(1).contiguous(), bias);
  } else if (IsCpuFloat(weight) && options.depthwise) {
    fast_ = kernels::DepthwiseSupports(weight.size(0), options.kernel, options.stride);
    weight_ = fast_ ? weight.squeeze(1).permute({1, 2, 0}).contiguous() : weight;
  } else {
    fast_ = IsCpuFloat(weight);
    weight_ = weight.contiguous();
  }
}

at::Tensor Convolution::Forward(const at::Tensor& x) const {
  if (!linear_) {
    return options_.depthwise && fast_ ? ForwardDepthwise(x) : ForwardDense(x);
  }
  const at::Tensor y = linear_->Forward(x.view({-1, x.size(3)}), options_.activation);
  return y.view({x.size(0), x.size(1), x.size(2), -1});
}

at::Tensor Convolution::ForwardAdd(const at::Tensor& x, const at::Tensor& residual) const {
  TERMINUS_CHECK(linear_ && options_.activation == Activation::kNone);
  return linear_->ForwardAdd(x.view({-1, x.size(3)}), residual.view({-1, residual.size(3)}))
      .view(residual.sizes());
}

at::Tensor Convolution::ForwardDepthwise(const at::Tensor& x) const {
  const Pads rows = PadsFor(options_, x.size(1));
  const Pads columns = PadsFor(options_, x.size(2));
  const bool clamps = options_.activation == Activation::kRelu6;
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  at::Tensor out = at::empty({x.size(0), rows.out, columns.out, x.size(3)}, x.options());
  kernels::Depthwise({.in = x.const_data_ptr<float>(),
                      .weight = weight_.const_data_ptr<float>(),
                      .bias = bias_.const_data_ptr<float>(),
                      .out = out.mutable_data_ptr<float>(),
                      .batch = x.size(0),
                      .in_height = x.size(1),
                      .in_width = x.size(2),
                      .out_height = rows.out,
                      .out_width = columns.out,
                      .channels = x.size(3),
                      .kernel = options_.kernel,
                      .stride = options_.stride,
                      .pad_top = rows.before,
                      .pad_left = columns.before,
                      .low = clamps ? 0 : -kInfinity,
                      .high = clamps ? 6 : kInfinity});
  return out;
}

at::Tensor Convolution::ForwardDense(const at::Tensor& x) const {
  const Pads rows = PadsFor(options_, x.size(1));
  const Pads columns = PadsFor(options_, x.size(2));
  const int64_t groups = options_.depthwise ? x.size(3) : 1;
  const at::Tensor padded =
      at::constant_pad_nd(x, {0, 0, columns.before, columns.after, rows.before, rows.after});
  // The same memory, seen as [batch, channels, height, width] in channels-last order.
  const at::Tensor image = padded.permute({0, 3, 1, 2});
  const std::array<int64_t, 2> stride = {options_.stride, options_.stride};
  const std::array<int64_t, 2> no_padding = {0, 0};
  const std::array<int64_t, 2> dilation = {1, 1};
  const at::Tensor y =
      fast_ ? mkldnn::Convolve(image, weight_, bias_,
                               {.padding = 0, .stride = options_.stride, .groups = groups},
                               options_.activation)
            : Activate(at::conv2d(image, weight_, bias_, stride, no_padding, dilation, groups),
                       options_.activation);
  return y.permute({0, 2, 3, 1}).contiguous();
}

Folded FoldBatchNorm(const at::Tensor& weight, const at::Tensor& gamma, const at::Tensor& beta,
                     const at::Tensor& mean, const at::Tensor& variance, double eps) {
  const at::Tensor scale = gamma.to(at::kDouble) / at::sqrt(variance.to(at::kDouble) + eps);
  return {.weight = (weight.to(at::kDouble) * scale.view({-1, 1, 1, 1})).to(at::kFloat),
          .bias = (beta.to(at::kDouble) - mean.to(at::kDouble) * scale).to(at::kFloat)};
}

}  // namespace terminus::models::nn
