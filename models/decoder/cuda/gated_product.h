#pragma once

#include <cuda.h>
#include <cuda_runtime_api.h>

#include <cstdint>

#include "models/decoder/cuda/kernels.h"

namespace terminus::models::decoder::cuda {

// Gated products of many rows on Hopper, bound by arithmetic: y = silu(gate) · up, where gate and
// up are the halves of x · weightᵀ + bias. A pair of multiprocessors computes two tiles of
// kGatedRows rows of x by `width` rows of the weight, half of them gates, of which each copies half
// for both. Against a product by cuBLASLt, whose speed it has, the pass for the gates is saved.

inline constexpr int kGatedRows = 128;
// Rows of the weight in a tile. Which is fastest depends on how many tiles come out.
inline constexpr int kGatedWidths[] = {224, 256};

struct GatedArgs {
  const Bf16* bias;  // [out], or null.
  Bf16* y;           // [rows, out / 2]
  int rows;
  int in;   // A multiple of 8.
  int out;  // A multiple of 16.
};

// Requires: the current device is a Hopper; `weight` is a map of [out, in] in boxes of width / 2
// rows, `x` one of [at least rows, in] in boxes of kGatedRows; width is one of kGatedWidths.
cudaError_t LaunchGatedProduct(const CUtensorMap& weight, const CUtensorMap& x,
                               const GatedArgs& args, int width, int multiprocessors,
                               cudaStream_t stream);

}  // namespace terminus::models::decoder::cuda
