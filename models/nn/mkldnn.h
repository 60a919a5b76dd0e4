#pragma once

#include <ATen/ATen.h>

#include <optional>

#include "models/nn/activation.h"

// oneDNN as LibTorch carries it: operators that take weights in oneDNN's own blocked layout and
// fuse what follows. They have no C++ function of their own and are called through the dispatcher.
// CPU, float32.
namespace terminus::models::nn::mkldnn {

// weight [out, in] → blocked, for any number of rows.
at::Tensor PackLinear(const at::Tensor& weight);

// x [rows, in] → [rows, out]. `weight` comes from PackLinear.
at::Tensor Linear(const at::Tensor& x, const at::Tensor& weight,
                  const std::optional<at::Tensor>& bias, Activation activation);

// The same, without activation, plus `residual` [rows, out].
at::Tensor LinearAdd(const at::Tensor& x, const at::Tensor& residual, const at::Tensor& weight,
                     const std::optional<at::Tensor>& bias);

struct Convolution {
  int64_t padding = 0;
  int64_t stride = 1;
  int64_t groups = 1;
};

// weight [out, in / groups, height, width] → blocked, best for inputs of `input_sizes`.
at::Tensor PackConvolution(const at::Tensor& weight, const Convolution& convolution,
                           at::IntArrayRef input_sizes);

// x [batch, in, height, width], channels last → the same layout.
at::Tensor Convolve(const at::Tensor& x, const at::Tensor& weight,
                    const std::optional<at::Tensor>& bias, const Convolution& convolution,
                    Activation activation);

}  // namespace terminus::models::nn::mkldnn
