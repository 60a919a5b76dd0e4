#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "models/decoder/cuda/kernels.h"
#include "models/decoder/cuda/product_output.h"

// Products of few rows, which are bound by reading the weights: each weight goes from memory to the
// registers of one thread and from there into a tensor core, and the first ones are under way while
// the kernel before still runs.
namespace terminus::models::decoder::cuda {

inline constexpr int kFewRows = 16;

struct FewRowsArgs {
  const Bf16* x;       // [rows, in]
  const Bf16* weight;  // [out, in]
  const Bf16* bias;    // [out], or null.
  void* y;             // [rows, out], kGated: [rows, out / 2]
  int rows;            // At most kFewRows.
  int in;              // A multiple of 8, as `out`.
  int out;
  ProductOutput output;
};

cudaError_t LaunchFewRows(const FewRowsArgs& args, cudaStream_t stream);

}  // namespace terminus::models::decoder::cuda
