#include "models/cuda/launch.cuh"
#include "models/decoder/cuda/few_rows.h"

namespace terminus::models::decoder::cuda {
namespace {

using models::cuda::LaunchBehind;
using models::cuda::LetNextStart;
using models::cuda::WaitForBefore;

constexpr int kWarps = 8;
constexpr int kThreads = kWarps * 32;
constexpr int kTileRows = 16;  // Rows of weights, and
constexpr int kTileK = 32;     // columns, of which a lane holds 8 in a row of 16 bytes.
constexpr int kTileX = 8;      // Rows of x.

// Weights are read once: they need not stay in the cache.
__device__ __forceinline__ uint4 LoadOnce(const Bf16* from) {
  uint4 v;
  asm volatile("ld.global.nc.L1::no_allocate.L2::256B.v4.u32 {%0,%1,%2,%3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(from));
  return v;
}

// c [16, 8] += a [16, 16] · b [16, 8]
__device__ __forceinline__ void MultiplyAdd(float (&c)[4], uint32_t a0, uint32_t a1, uint32_t a2,
                                            uint32_t a3, uint32_t b0, uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, "
      "{%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}

template <FewRowsOutput kOutput>
__device__ __forceinline__ void Put(const FewRowsArgs& args, int row, int column, float sum) {
  const int64_t at = int64_t{row} * args.out + column;
  if constexpr (kOutput == FewRowsOutput::kFloat) {
    static_cast<float*>(args.y)[at] = sum;
  } else {
    Bf16* const y = static_cast<Bf16*>(args.y) + at;
    if constexpr (kOutput == FewRowsOutput::kAdd) {
      sum += __bfloat162float(*y);
    }
    *y = __float2bfloat16_rn(sum);
  }
}

// A thread block has two tiles of rows, one behind the other or, kGated, a gate's and the one that
// it gates. Its warps share the columns: warp w takes every eighth tile from the w-th on, so that
// all read next to each other. A lane's 8 values of a row are the operands of two products whose
// order of columns is the lane's own, and the same for weights and x.
template <int kXTiles, FewRowsOutput kOutput>
__global__ void __launch_bounds__(kThreads, 2) FewRows(FewRowsArgs args) {
  constexpr int kTiles = 2;
  constexpr int kAhead = 4;  // Tiles of columns that a warp reads at a time.
  const int warp = threadIdx.x / 32;
  const int lane = threadIdx.x % 32;
  const int group = lane / 4;
  const int quad = lane % 4;
  const int half = args.out / 2;
  const int first = blockIdx.x * kTileRows * (kOutput == FewRowsOutput::kGated ? 1 : kTiles);
  const int end = kOutput == FewRowsOutput::kGated ? half : args.out;

  // Rows beyond the last are read as the last, and their sums dropped.
  const Bf16* rows[kTiles][2];
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int inside = kOutput == FewRowsOutput::kGated ? 0 : tile * kTileRows;
      const int row = min(first + inside + group + 8 * i, end - 1) +
                      (kOutput == FewRowsOutput::kGated ? tile * half : 0);
      rows[tile][i] = args.weight + int64_t{row} * args.in + quad * 8;
    }
  }
  const Bf16* x[kXTiles];
#pragma unroll
  for (int i = 0; i < kXTiles; ++i) {
    x[i] = args.x + int64_t{i * kTileX + group} * args.in + quad * 8;
  }

  uint4 weights[kAhead][kTiles][2];
  const auto load = [&](int step) {
#pragma unroll
    for (int ahead = 0; ahead < kAhead; ++ahead) {
      const int k = (step + ahead * kWarps) * kTileK;
#pragma unroll
      for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          weights[ahead][tile][i] =
              k + quad * 8 < args.in ? LoadOnce(rows[tile][i] + k) : uint4{0, 0, 0, 0};
        }
      }
    }
  };
  load(warp);
  LetNextStart();
  WaitForBefore();

  float sums[kTiles][kXTiles][4] = {};
  for (int step = warp; step * kTileK < args.in; step += kAhead * kWarps) {
    if (step != warp) {
      load(step);
    }
#pragma unroll
    for (int ahead = 0; ahead < kAhead; ++ahead) {
      const int k = (step + ahead * kWarps) * kTileK;
#pragma unroll
      for (int i = 0; i < kXTiles; ++i) {
        const bool valid = k + quad * 8 < args.in && i * kTileX + group < args.rows;
        const uint4 b =
            valid ? *reinterpret_cast<const uint4*>(x[i] + k) : uint4{0, 0, 0, 0};
#pragma unroll
        for (int tile = 0; tile < kTiles; ++tile) {
          const uint4& low = weights[ahead][tile][0];
          const uint4& high = weights[ahead][tile][1];
          MultiplyAdd(sums[tile][i], low.x, high.x, low.y, high.y, b.x, b.y);
          MultiplyAdd(sums[tile][i], low.z, high.z, low.w, high.w, b.z, b.w);
        }
      }
    }
  }

  __shared__ float shared[kWarps][kTiles][kXTiles * kTileX][kTileRows + 1];
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
    for (int i = 0; i < kXTiles; ++i) {
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        shared[warp][tile][i * kTileX + 2 * quad + j % 2][group + 8 * (j / 2)] = sums[tile][i][j];
      }
    }
  }
  __syncthreads();
  const auto sum = [&](int tile, int row, int inside) {
    float total = 0;
#pragma unroll
    for (int w = 0; w < kWarps; ++w) {
      total += shared[w][tile][row][inside];
    }
    return total;
  };
  const auto bias = [&](int column) {
    return args.bias == nullptr ? 0.f : __bfloat162float(args.bias[column]);
  };
  constexpr int kOutputs =
      kOutput == FewRowsOutput::kGated ? kTileRows : kTiles * kTileRows;  // Of one row of x.
  for (int i = threadIdx.x; i < args.rows * kOutputs; i += kThreads) {
    const int row = i / kOutputs;
    const int tile = i % kOutputs / kTileRows;
    const int inside = i % kTileRows;
    const int column = first + i % kOutputs;
    if (column >= end) {
      continue;
    }
    if constexpr (kOutput == FewRowsOutput::kGated) {
      const float gate = sum(0, row, inside) + bias(column);
      const float up = sum(1, row, inside) + bias(half + column);
      static_cast<Bf16*>(args.y)[int64_t{row} * half + column] =
          __float2bfloat16_rn(gate / (1 + __expf(-gate)) * up);
    } else {
      Put<kOutput>(args, row, column, sum(tile, row, inside) + bias(column));
    }
  }
}

template <int kXTiles, FewRowsOutput kOutput>
cudaError_t Launch(const FewRowsArgs& args, cudaStream_t stream) {
  const int tiles = kOutput == FewRowsOutput::kGated ? kTileRows : 2 * kTileRows;
  const int outputs = kOutput == FewRowsOutput::kGated ? args.out / 2 : args.out;
  return LaunchBehind(FewRows<kXTiles, kOutput>, dim3((outputs + tiles - 1) / tiles),
                      dim3(kThreads), 0, stream, args);
}

template <FewRowsOutput kOutput>
cudaError_t Launch(const FewRowsArgs& args, cudaStream_t stream) {
  return args.rows <= kTileX ? Launch<1, kOutput>(args, stream) : Launch<2, kOutput>(args, stream);
}

}  // namespace

cudaError_t LaunchFewRows(const FewRowsArgs& args, cudaStream_t stream) {
  switch (args.output) {
    case FewRowsOutput::kBf16:
      return Launch<FewRowsOutput::kBf16>(args, stream);
    case FewRowsOutput::kAdd:
      return Launch<FewRowsOutput::kAdd>(args, stream);
    case FewRowsOutput::kFloat:
      return Launch<FewRowsOutput::kFloat>(args, stream);
    case FewRowsOutput::kGated:
      return Launch<FewRowsOutput::kGated>(args, stream);
  }
  return cudaErrorInvalidValue;
}

}  // namespace terminus::models::decoder::cuda
