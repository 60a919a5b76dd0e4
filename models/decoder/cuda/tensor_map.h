#pragma once

#include <cuda.h>

#include <cstdint>

#include "models/decoder/cuda/kernels.h"

// How Hopper's copy engine finds a matrix of bfloat16 in the device's memory. Boxes have
// kMapColumns columns and lie in shared memory swizzled by 128 bytes, for warpgroup.cuh. What lies
// outside of the matrix is copied as zeros. Throw CudaError.
namespace terminus::models::decoder::cuda {

inline constexpr int kMapColumns = 64;  // 128 bytes, the width of the swizzle.

// [rows, columns] in boxes of `box_rows` rows. Requires: columns are a multiple of 8.
CUtensorMap MapMatrix(const Bf16* data, int64_t rows, int64_t columns, int box_rows);

// The same with the first half of the rows, gates, and the second half, what they gate, taken in
// turn, eight rows each. Requires: rows and box_rows are multiples of 16.
CUtensorMap MapGated(const Bf16* data, int64_t rows, int64_t columns, int box_rows);

}  // namespace terminus::models::decoder::cuda
