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

  // x [rows, in] → [rows, out]; on a GPU zeros may follow in a row of x. With `fp8_scale`, on a GPU
  // and in bfloat16, the result is E4M3 of the values times it.
  at::Tensor Forward(const at::Tensor& x, Activation activation = Activation::kNone,
                     std::optional<float> fp8_scale = std::nullopt) const;

  // activation(x Wᵀ + b + residual), residual [rows, out].
  at::Tensor ForwardAdd(const at::Tensor& x, const at::Tensor& residual,
                        Activation activation = Activation::kNone) const;

  // From now on products are in FP8 (E4M3, "FP8 Formats for Deep Learning", Micikevicius et al.,
  // 2022), with one scale for the weight and one for inputs, of which `largest` is the largest
  // magnitude seen; twice that still fits. False, and nothing is changed, where there is no such
  // product: off the GPU, in another dtype than bfloat16, for sizes that are no multiple of 16.
  bool UseFp8(double largest);

  // What inputs in FP8 are multiplied by, if products are in FP8: x may then be such an input.
  std::optional<float> input_scale() const {
    return fp8_ ? std::optional(fp8_->input_scale) : std::nullopt;
  }

 private:
  enum class Path {
    kKernel,  // Our own, for processors that have what it needs.
    kOneDnn,  // Any other CPU.
    kCuda,    // bfloat16 on a GPU.
    kPlain,   // Other devices and dtypes.
  };

  struct Fp8 {
    at::Tensor weight;        // [out, in]
    at::Tensor weight_scale;  // float32 [1]: what one in `weight` stands for.
    at::Tensor x_scale;       // The same of inputs.
    float input_scale;
  };

  static Path PathFor(const at::Tensor& weight);
  at::Tensor RunKernel(const at::Tensor& x, const at::Tensor* residual,
                       Activation activation) const;
  at::Tensor RunCuda(const at::Tensor& x, const at::Tensor& residual, Activation activation,
                     std::optional<float> fp8_scale) const;

  Path path_;
  int64_t in_;
  int64_t out_;
  at::Tensor weight_;  // As the path wants it.
  std::optional<at::Tensor> bias_;
  std::optional<Fp8> fp8_;
};

}  // namespace terminus::models::nn
