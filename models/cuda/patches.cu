#include <cuda_bf16.h>

#include <algorithm>

#include "models/cuda/patches.h"

namespace terminus::models::cuda {
namespace {

constexpr int kThreads = 256;
// Of pixels that a block holds, if one row of patches has as many.
constexpr int kTileBytes = 24 << 10;
constexpr int kEnoughBlocks = 256;

__device__ __forceinline__ float OfColour(const float (&values)[3], int colour) {
  return colour == 0 ? values[0] : colour == 1 ? values[1] : values[2];
}

// Patches of one pixel: the image as it lies there. Four values a thread.
__global__ void __launch_bounds__(kThreads) Normalize(TerminusCudaPatches args, int64_t values) {
  const int64_t first = (static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x) * 4;
  auto* const out = static_cast<__nv_bfloat16*>(args.out) + first;
  float y[4];
  const int count = static_cast<int>(min(values - first, int64_t{4}));
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    if (i < count) {
      const int colour = static_cast<int>((first + i) % 3);
      y[i] = args.pixels[first + i] * OfColour(args.scale, colour) + OfColour(args.shift, colour);
    }
  }
  if (count == 4) {
    reinterpret_cast<__nv_bfloat162*>(out)[0] = __floats2bfloat162_rn(y[0], y[1]);
    reinterpret_cast<__nv_bfloat162*>(out)[1] = __floats2bfloat162_rn(y[2], y[3]);
    return;
  }
  for (int i = 0; i < count; ++i) {
    out[i] = __float2bfloat16(y[i]);
  }
}

// A block takes up to `columns` patches that lie beside each other: pixels are read and values are
// written row by row, and in between is shared memory.
__global__ void __launch_bounds__(kThreads) Patches(TerminusCudaPatches args, int columns) {
  extern __shared__ __align__(16) int shared[];
  int* const places = shared;  // [row]: where in the tile a patch's value is, and its colour.
  auto* const tile = reinterpret_cast<uint8_t*>(shared + args.row);
  const int all_columns = args.width / args.side;
  const int first = static_cast<int>(blockIdx.x) * columns;
  const int count = min(columns, all_columns - first);
  const int tile_row = count * args.side * 3;
  const int area = args.side * args.side;
  for (int i = threadIdx.x; i < args.row; i += kThreads) {
    const int colour = i / area;
    const int pixel = i % area;
    const int place = pixel / args.side * tile_row + pixel % args.side * 3 + colour;
    places[i] = colour < 3 ? place << 2 | colour : -1;
  }
  const uint8_t* const from =
      args.pixels +
      ((int64_t{blockIdx.z} * args.height + int64_t{blockIdx.y} * args.side) * args.width +
       int64_t{first} * args.side) *
          3;
  for (int y = threadIdx.x / 32; y < args.side; y += kThreads / 32) {
    const uint8_t* const row = from + int64_t{y} * args.width * 3;
    for (int x = threadIdx.x % 32; x < tile_row; x += 32) {
      tile[y * tile_row + x] = row[x];
    }
  }
  __syncthreads();
  const int64_t patch =
      (int64_t{blockIdx.z} * (args.height / args.side) + blockIdx.y) * all_columns + first;
  auto* const out = static_cast<__nv_bfloat16*>(args.out) + patch * args.row;
  const auto value = [&](int i) {
    const int which = i / args.row;
    const int place = places[i - which * args.row];
    const int colour = place & 3;
    return place < 0 ? 0
                     : tile[which * args.side * 3 + (place >> 2)] * OfColour(args.scale, colour) +
                           OfColour(args.shift, colour);
  };
  // Two at a time: rows are a multiple of two.
  for (int i = threadIdx.x * 2; i < count * args.row; i += kThreads * 2) {
    reinterpret_cast<__nv_bfloat162*>(out + i)[0] = __floats2bfloat162_rn(value(i), value(i + 1));
  }
}

}  // namespace

cudaError_t LaunchPatches(const TerminusCudaPatches& args, cudaStream_t stream) {
  constexpr int64_t kMaxGrid = 65535;
  if (args.side < 1 || args.row < 3 * args.side * args.side) {
    return cudaErrorInvalidValue;
  }
  if (args.count == 0 || args.height < args.side || args.width < args.side) {
    return cudaSuccess;
  }
  if (args.side == 1 && args.row == 3) {
    const int64_t values = args.count * args.height * args.width * 3;
    const int64_t blocks = (values + kThreads * 4 - 1) / (kThreads * 4);
    Normalize<<<static_cast<unsigned>(blocks), kThreads, 0, stream>>>(args, values);
    return cudaGetLastError();
  }
  const int all_columns = args.width / args.side;
  const int rows = args.height / args.side;
  const int patch_bytes = args.side * args.side * 3;
  // As many as a block holds, but for few images, whose patches then keep more processors at work.
  const int64_t shared = args.count * rows * all_columns / kEnoughBlocks;
  const int columns = static_cast<int>(
      std::clamp<int64_t>(std::min<int64_t>(kTileBytes / patch_bytes, shared), 1, all_columns));
  const int bytes = args.row * static_cast<int>(sizeof(int)) + columns * patch_bytes;
  if (args.row % 2 != 0 || args.count > kMaxGrid || rows > kMaxGrid) {
    return cudaErrorInvalidValue;
  }
  const cudaError_t error =
      cudaFuncSetAttribute(Patches, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
  if (error != cudaSuccess) {
    return error;
  }
  const dim3 grid(static_cast<unsigned>((all_columns + columns - 1) / columns),
                  static_cast<unsigned>(rows), static_cast<unsigned>(args.count));
  Patches<<<grid, kThreads, static_cast<size_t>(bytes), stream>>>(args, columns);
  return cudaGetLastError();
}

}  // namespace terminus::models::cuda
