#pragma once

#include <ATen/ATen.h>

#include <optional>

#include "models/nn/activation.h"

namespace terminus::models::nn {

// y = activation(x Wᵀ + b). On the CPU the weight is repacked once, so the tensor it was made from
// (a view of a mapped file) is not touched again.
class Linear {
 public:
  // weight [out, in], bias [out] or none; both on the device to compute on.
  Linear(const at::Tensor& weight, const std::optional<at::Tensor>& bias);

  // x [rows, in] → [rows, out].
  at::Tensor Forward(const at::Tensor& x, Activation activation = Activation::kNone) const;

  // The same, without activation, plus `residual` [rows, out].
  at::Tensor ForwardAdd(const at::Tensor& x, const at::Tensor& residual) const;

 private:
  enum class Path {
    kKernel,  // Our own, for processors that have what it needs.
    kOneDnn,  // Any other CPU.
    kPlain,   // Other devices and dtypes.
  };

  static Path PathFor(const at::Tensor& weight);
  at::Tensor RunKernel(const at::Tensor& x, const at::Tensor* residual,
                       Activation activation) const;

  Path path_;
  int64_t in_;
  int64_t out_;
  at::Tensor weight_;  // As the path wants it.
  std::optional<at::Tensor> bias_;
};

}  // namespace terminus::models::nn
