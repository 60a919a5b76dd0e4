#include "models/nn/convolution.h"

#include <algorithm>
#include <array>

#include "common/base/check.h"

namespace terminus::models::nn {
namespace {

void Activate(at::Tensor& y, Activation activation) {
  switch (activation) {
    case Activation::kNone:
      return;
    case Activation::kRelu:
      y.relu_();
      return;
    case Activation::kRelu6:
      y.clamp_(0, 6);
      return;
    default:
      TERMINUS_CHECK(false);
  }
}

}  // namespace

Pads Convolution::PadsFor(const Options& options, int64_t size) {
  if (options.padding == Padding::kSymmetric) {
    const int64_t pad = options.kernel / 2;
    return {pad, pad, (size + 2 * pad - options.kernel) / options.stride + 1};
  }
  const int64_t out = (size + options.stride - 1) / options.stride;
  const int64_t total = std::max<int64_t>(0, (out - 1) * options.stride + options.kernel - size);
  return {total / 2, total - total / 2, out};
}

Convolution::Convolution(const Options& options, const at::Tensor& weight, const at::Tensor& bias)
    : options_(options) {
  if (options.kernel == 1 && !options.depthwise) {
    linear_.emplace(weight.flatten(1).contiguous(), bias);
  } else {
    weight_ = weight.contiguous(weight.is_cuda() ? at::MemoryFormat::ChannelsLast
                                                 : at::MemoryFormat::Contiguous);
    bias_ = bias.contiguous();
  }
}

at::Tensor Convolution::Strided(const at::Tensor& x) const {
  if (options_.stride == 1) {
    return x;
  }
  return x.slice(1, 0, x.size(1), options_.stride)
      .slice(2, 0, x.size(2), options_.stride)
      .contiguous();
}

at::Tensor Convolution::Convolve(const at::Tensor& x) const {
  const Pads rows = PadsFor(options_, x.size(1));
  const Pads columns = PadsFor(options_, x.size(2));
  // The same memory, seen as [batch, channels, height, width] in channels-last order.
  at::Tensor image = x.permute({0, 3, 1, 2});
  std::array<int64_t, 2> padding = {rows.before, columns.before};
  if (rows.before != rows.after || columns.before != columns.after) {
    image = at::constant_pad_nd(x, {0, 0, columns.before, columns.after, rows.before, rows.after})
                .permute({0, 3, 1, 2});
    padding = {0, 0};
  }
  const std::array<int64_t, 2> stride = {options_.stride, options_.stride};
  const std::array<int64_t, 2> dilation = {1, 1};
  const int64_t groups = options_.depthwise ? x.size(3) : 1;
  if (image.is_cuda() && groups == 1 && options_.activation == Activation::kRelu) {
    return at::cudnn_convolution_relu(image, weight_, bias_, stride, padding, dilation, groups);
  }
  at::Tensor y = at::conv2d(image, weight_, bias_, stride, padding, dilation, groups);
  Activate(y, options_.activation);
  return y;
}

at::Tensor Convolution::Forward(const at::Tensor& x) const {
  if (linear_) {
    const at::Tensor seen = Strided(x);
    const at::Tensor y = linear_->Forward(seen.view({-1, x.size(3)}), options_.activation);
    return y.view({x.size(0), seen.size(1), seen.size(2), -1});
  }
  return Convolve(x).permute({0, 2, 3, 1}).contiguous();
}

at::Tensor Convolution::ForwardAdd(const at::Tensor& x, const at::Tensor& residual,
                                   Activation activation) const {
  TERMINUS_CHECK(options_.activation == Activation::kNone);
  if (!linear_) {
    at::Tensor y = Forward(x).add_(residual);
    Activate(y, activation);
    return y;
  }
  return linear_
      ->ForwardAdd(Strided(x).view({-1, x.size(3)}), residual.view({-1, residual.size(3)}),
                   activation)
      .view(residual.sizes());
}

Folded FoldBatchNorm(const at::Tensor& weight, const at::Tensor& gamma, const at::Tensor& beta,
                     const at::Tensor& mean, const at::Tensor& variance, double eps) {
  // Values that are in double precision at a time: a whole weight would be four times its size.
  constexpr int64_t kValues = 1 << 17;
  const at::Tensor scale = gamma.to(at::kDouble) / at::sqrt(variance.to(at::kDouble) + eps);
  const at::Tensor folded = at::empty(weight.sizes(), weight.options().dtype(at::kFloat));
  const int64_t step = std::max<int64_t>(1, kValues / weight[0].numel());
  for (int64_t row = 0; row < weight.size(0); row += step) {
    const auto rows = [&](const at::Tensor& tensor) {
      return tensor.slice(0, row, std::min(row + step, weight.size(0)));
    };
    rows(folded).copy_(rows(weight).to(at::kDouble) * rows(scale).view({-1, 1, 1, 1}));
  }
  return {.weight = folded,
          .bias = (beta.to(at::kDouble) - mean.to(at::kDouble) * scale).to(at::kFloat)};
}

}  // namespace terminus::models::nn
