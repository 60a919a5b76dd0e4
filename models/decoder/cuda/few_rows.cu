#include "models/cuda/launch.cuh"
#include "models/decoder/cuda/few_rows.h"

namespace terminus::models::decoder::cuda {
namespace {

using models::cuda::LaunchBehind;
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

template <ProductOutput kOutput>
__device__ __forceinline__ void Put(const FewRowsArgs& args, int row, int column, float sum) {
  const int64_t at = int64_t{row} * args.out + column;
  if constexpr (kOutput == ProductOutput::kFloat) {
    static_cast<float*>(args.y)[at] = sum;
  } else {
    Bf16* const y = static_cast<Bf16*>(args.y) + at;
    if constexpr (kOutput == ProductOutput::kAdd) {
      sum += __bfloat162float(*y);
    }
    *y = __float2bfloat16_rn(sum);
  }
}

// A thread block has one or two tiles of rows, one behind the other or, kGated, a gate's and the
// one that it gates. Its warps share the columns: warp w takes every eighth tile from the w-th on,
// so that all read next to each other. A lane's 8 values of a row are the operands of two products
// whose order of columns is the lane's own, and the same for weights and x.
template <int kTiles, int kXTiles, ProductOutput kOutput>
__global__ void __launch_bounds__(kThreads, 2) FewRows(FewRowsArgs args) {
  constexpr int kAhead = 8 / kTiles;  // Tiles of columns that a warp reads at a time.
  const int warp = threadIdx.x / 32;
  const int lane = threadIdx.x % 32;
  const int group = lane / 4;
  const int quad = lane % 4;
  const int half = args.out / 2;
  const int first = blockIdx.x * kTileRows * (kOutput == ProductOutput::kGated ? 1 : kTiles);
  const int end = kOutput == ProductOutput::kGated ? half : args.out;

  // Rows beyond the last are read as the last, and their sums dropped.
  const Bf16* rows[kTiles][2];
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int inside = kOutput == ProductOutput::kGated ? 0 : tile * kTileRows;
      const int row = min(first + inside + group + 8 * i, end - 1) +
                      (kOutput == ProductOutput::kGated ? tile * half : 0);
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
        const uint4 b = valid ? *reinterpret_cast<const uint4*>(x[i] + k) : uint4{0, 0, 0, 0};
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
      kOutput == ProductOutput::kGated ? kTileRows : kTiles * kTileRows;  // Of one row of x.
  for (int i = threadIdx.x; i < args.rows * kOutputs; i += kThreads) {
    const int row = i / kOutputs;
    const int tile = i % kOutputs / kTileRows;
    const int inside = i % kTileRows;
    const int column = first + i % kOutputs;
    if (column >= end) {
      continue;
    }
    if constexpr (kOutput == ProductOutput::kGated) {
      const float gate = sum(0, row, inside) + bias(column);
      const float up = sum(1, row, inside) + bias(half + column);
      static_cast<Bf16*>(args.y)[int64_t{row} * half + column] =
          __float2bfloat16_rn(gate / (1 + __expf(-gate)) * up);
    } else {
      Put<kOutput>(args, row, column, sum(tile, row, inside) + bias(column));
    }
  }
}

template <int kTiles, int kXTiles, ProductOutput kOutput>
cudaError_t Launch(const FewRowsArgs& args, cudaStream_t stream) {
  constexpr bool kIsGated = kOutput == ProductOutput::kGated;
  constexpr int kOutputs = kIsGated ? kTileRows : kTiles * kTileRows;
  const int outputs = kIsGated ? args.out / 2 : args.out;
  return LaunchBehind(FewRows<kTiles, kXTiles, kOutput>, dim3((outputs + kOutputs - 1) / kOutputs),
                      dim3(kThreads), 0, stream, args);
}

// Small weights are cut finer, so that every multiprocessor has thread blocks enough.
template <int kXTiles, ProductOutput kOutput>
cudaError_t Launch(const FewRowsArgs& args, cudaStream_t stream) {
  constexpr int kFine = 1 << 13;
  if constexpr (kOutput != ProductOutput::kGated) {
    if (args.out <= kFine) {
      return Launch<1, kXTiles, kOutput>(args, stream);
    }
  }
  return Launch<2, kXTiles, kOutput>(args, stream);
}

template <ProductOutput kOutput>
cudaError_t Launch(const FewRowsArgs& args, cudaStream_t stream) {
  return args.rows <= kTileX ? Launch<1, kOutput>(args, stream) : Launch<2, kOutput>(args, stream);
}

}  // namespace

cudaError_t LaunchFewRows(const FewRowsArgs& args, cudaStream_t stream) {
  switch (args.output) {
    case ProductOutput::kBf16:
      return Launch<ProductOutput::kBf16>(args, stream);
    case ProductOutput::kAdd:
      return Launch<ProductOutput::kAdd>(args, stream);
    case ProductOutput::kFloat:
      return Launch<ProductOutput::kFloat>(args, stream);
    case ProductOutput::kGated:
      return Launch<ProductOutput::kGated>(args, stream);
  }
  return cudaErrorInvalidValue;
}

}  // namespace terminus::models::decoder::cuda
