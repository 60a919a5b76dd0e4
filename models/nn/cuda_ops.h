#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <optional>

#include "models/kernels/image/normalize.h"
#include "models/nn/activation.h"
#include "models/nn/sequences.h"

// The kernels of models/cuda over tensors of a GPU: bfloat16 and contiguous, of any leading
// dimensions and `width` last. They go to LibTorch's current stream and never wait for it. With
// `fp8_scale` the result is E4M3 of the values times it, for a product in FP8. Errors of CUDA are
// thrown, as LibTorch's operators do.
namespace terminus::models::nn::cuda_ops {

// Whether these kernels serve a device and dtype.
bool Serves(at::Device device, at::ScalarType dtype);
inline bool Serves(const at::Tensor& tensor) {
  return Serves(tensor.device(), tensor.scalar_type());
}

// Whether `Matmul` takes a weight [out, in] of these sizes; rows are padded by the caller.
bool TakesMatmul(int64_t in, int64_t out, bool fp8);

// x [..., width] → the same shape.
bool TakesLayerNorm(int64_t width);
at::Tensor LayerNorm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                     double eps, std::optional<float> fp8_scale);

// Null tensors are not there. In FP8, x and weight are E4M3 and have scales.
struct MatmulArgs {
  const at::Tensor& x;       // [rows, in]
  const at::Tensor& weight;  // [out, in]
  at::Tensor bias;           // [out]
  at::Tensor residual;       // [rows, out]
  Activation activation = Activation::kNone;
  at::Tensor x_scale;  // float32 [1]: what one in `x` stands for.
  at::Tensor weight_scale;
};
// activation(x · weightᵀ + bias + residual), [rows, out] in bfloat16.
at::Tensor Matmul(const MatmulArgs& args);

// In place without a scale.
at::Tensor Activate(const at::Tensor& x, Activation activation, std::optional<float> fp8_scale);

// uint8 [images, height, width, 3] → squares of `side` pixels, each a row of three planes:
// [images · height / side · width / side, 3 · side²], with zeros behind up to a multiple of 8
// unless `side` is 1, which gives the images' own layout. Each value times the scale of its colour
// plus the shift.
at::Tensor Patches(const at::Tensor& pixels, const kernels::PixelTransform& transform,
                   int64_t side);

// Whether the kernel takes heads of this size and sequences of this length.
bool TakesAttention(int64_t head_dim, int32_t longest);
// As PackedSelfAttention says.
at::Tensor Attention(const at::Tensor& qkv, const Sequences& sequences, int heads, bool causal,
                     std::optional<float> fp8_scale);

}  // namespace terminus::models::nn::cuda_ops
