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

}  // namespace terminus::models::nn::mkldnn
