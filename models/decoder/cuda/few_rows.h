#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "models/decoder/cuda/kernels.h"

// Products of few rows, which are bound by reading the weights: each weight goes from memory to the
// registers of one thread and from there into a tensor core, and the first ones are under way while
// the kernel before still runs.
namespace terminus::models::decoder::cuda {

inline constexpr int kFewRows = 16;

// What a product does with its sums.
enum class FewRowsOutput {
  kBf16,   // y = x · weightᵀ + bias
  kAdd,    // y += x · weightᵀ + bias
  kFloat,  // y = x · weightᵀ + bias, in float32
  kGated,  // y = silu(gate) · up, of the first and the second half of x · weightᵀ + bias
};

struct FewRowsArgs {
  const Bf16* x;       // [rows, in]
  const Bf16* weight;  // [out, in]
  const Bf16* bias;    // [out], or null.
  void* y;             // [rows, out], kGated: [rows, out / 2]
  int rows;            // At most kFewRows.
  int in;              // A multiple of 8, as `out`.
  int out;
  FewRowsOutput output;
};

cudaError_t LaunchFewRows(const FewRowsArgs& args, cudaStream_t stream);

}  // namespace terminus::models::decoder::cuda
