#pragma once

#include <ATen/ATen.h>

#include "models/decoder/llama_config.h"

namespace terminus::models::decoder {

// Rotary positions by LibTorch's operators. Immutable.
class AtenRope {
 public:
  // A step's angles: [tokens, 1, head_dim], times the attention factor.
  struct Angles {
    at::Tensor cos;
    at::Tensor sin;
  };

  AtenRope(const LlamaConfig& config, at::Device device);

  // positions [tokens], on the device; the angles have `dtype`.
  Angles At(const at::Tensor& positions, at::ScalarType dtype) const;

  // x [tokens, heads, head_dim] → the same, turned; the halves of a head are pairs.
  static at::Tensor Rotate(const at::Tensor& x, const Angles& angles);

 private:
  at::Tensor frequencies_;  // [head_dim / 2], float32
  double factor_;
};

}  // namespace terminus::models::decoder
