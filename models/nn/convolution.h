#pragma once

#include <ATen/ATen.h>

#include <optional>

#include "models/nn/activation.h"
#include "models/nn/linear.h"

namespace terminus::models::nn {

// Where zeros are put around an image so that its size shrinks by the stride alone.
enum class Padding {
  kSymmetric,  // kernel / 2 on each side.
  kSame,       // As TensorFlow: as few as needed, the odd one behind.
};

// Zeros before an axis and behind it, and its size after the convolution.
struct Pads {
  int64_t before;
  int64_t after;
  int64_t out;
};

// A square convolution, folded with the batch normalisation behind it, and an activation. One of
// three kinds: pointwise (kernel 1), depthwise (one filter a channel), or dense. For any device and
// dtype.
class Convolution {
 public:
  struct Options {
    int kernel = 1;
    int stride = 1;
    bool depthwise = false;
    Padding padding = Padding::kSymmetric;
    Activation activation = Activation::kNone;  // kNone, kRelu or kRelu6.
  };

  // What becomes of an axis of `size`.
  static Pads PadsFor(const Options& options, int64_t size);

  // weight [out, in, kernel, kernel], or [channels, 1, kernel, kernel] if depthwise; bias [out].
  Convolution(const Options& options, const at::Tensor& weight, const at::Tensor& bias);

  // x [batch, height, width, in] → [batch, height / stride, width / stride, out], rounded up.
  at::Tensor Forward(const at::Tensor& x) const;

  // activation(convolution(x) + residual), `residual` of the result's shape; for convolutions
  // without an activation of their own.
  at::Tensor ForwardAdd(const at::Tensor& x, const at::Tensor& residual,
                        Activation activation = Activation::kNone) const;

 private:
  // Of any other kind, bias and activation included.
  at::Tensor Convolve(const at::Tensor& x) const;
  // Of a pointwise convolution's input, the pixels that it looks at.
  at::Tensor Strided(const at::Tensor& x) const;

  Options options_;
  std::optional<Linear> linear_;  // Pointwise.
  at::Tensor weight_;             // Else: [out, in / groups, kernel, kernel].
  at::Tensor bias_;
};

// Folds y = (conv(x) - mean) / sqrt(variance + eps) · gamma + beta into the convolution's own
// weight and bias.
struct Folded {
  at::Tensor weight;
  at::Tensor bias;
};
Folded FoldBatchNorm(const at::Tensor& weight, const at::Tensor& gamma, const at::Tensor& beta,
                     const at::Tensor& mean, const at::Tensor& variance, double eps);

}  // namespace terminus::models::nn
