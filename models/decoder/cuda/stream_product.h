#pragma once

#include <cuda.h>
#include <cuda_runtime_api.h>

#include <cstdint>

#include "models/decoder/cuda/kernels.h"
#include "models/decoder/cuda/memory.h"
#include "models/decoder/cuda/product_output.h"

namespace terminus::models::decoder::cuda {

// Products of up to kStreamRows rows on Hopper, bound by reading the weights. One thread block a
// multiprocessor; all get an equal share of the weights' tiles, so that a tile may be shared among
// several, which add their parts in a fixed order ("Stream-K", Osama et al., 2023). Tiles come by
// the bulk tensor copy engine, the first ones while the kernel before still runs.

inline constexpr int kStreamRows = 64;

struct StreamArgs {
  const Bf16* bias;  // [out], or null.
  void* y;           // [rows, out], kGated: [rows, out / 2]
  int rows;          // At most kStreamRows.
  int in;            // A multiple of 8, as `out`.
  int out;
  ProductOutput output;
  float* partial;  // [multiprocessors, kStreamPartial]
  int32_t* ready;  // [multiprocessors], zeros; zeros again afterwards.
};

inline constexpr int kStreamPartial = 128 * kStreamRows;

// Rows of x in a box of its map, for so many rows: 8, 16, 32 or 64.
int StreamBoxRows(int rows);

// How the copy engine finds a weight [out, in], and `x` [capacity, in] for up to `box_rows` rows.
CUtensorMap MapStreamWeight(const Bf16* weight, int64_t out, int64_t in, bool gated);
CUtensorMap MapStreamX(const Bf16* x, int64_t capacity, int64_t in, int box_rows);

// Requires: the current device is a Hopper; `weight` is mapped as gated where the output is, and
// `x` for StreamBoxRows(args.rows).
cudaError_t LaunchStreamProduct(const CUtensorMap& weight, const CUtensorMap& x,
                                const StreamArgs& args, int multiprocessors, cudaStream_t stream);

}  // namespace terminus::models::decoder::cuda
