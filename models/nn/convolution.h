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

// A square convolution, folded with the batch normalisation behind it, and an activation. One of
// three kinds: pointwise (kernel 1), depthwise (one filter a channel), or dense.
class Convolution {
 public:
  struct Options {
    int kernel = 1;
    int stride = 1;
    bool depthwise = false;
    Padding padding = Padding::kSymmetric;
    Activation activation = Activation::kNone;  // kNone or kRelu6.
  };

  // weight [out, in, kernel, kernel], or [channels, 1, kernel, kernel] if depthwise; bias [out].
  Convolution(const Options& options, const at::Tensor& weight, const at::Tensor& bias);

  // x [batch, height, width, in] → [batch, height / stride, width / stride, out], rounded up.
  at::Tensor Forward(const at::Tensor& x) const;

  // The same plus `residual`; pointwise and without activation only.
  at::Tensor ForwardAdd(const at::Tensor& x, const at::Tensor& residual) const;

 private:
  at::Tensor ForwardDepthwise(const at::Tensor& x) const;
  at::Tensor ForwardDense(const at::Tensor& x) const;

  Options options_;
  std::optional<Linear> linear_;  // Pointwise.
  // As the kernel wants it: [kernel, kernel, channels] or repacked where there is a kernel of our
  // own or oneDNN's, [out, in / groups, kernel, kernel] elsewhere.
  at::Tensor weight_;
  at::Tensor bias_;
  bool fast_ = false;
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
