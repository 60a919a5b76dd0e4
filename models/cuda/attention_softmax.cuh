#pragma once

#include <cuda_bf16.h>
#include <cuda_fp8.h>

#include <cstdint>

#include "models/cuda/attention_items.cuh"

// The softmax of the scores that a lane holds, and what becomes of the sums behind it: the same for
// all products of the tensor cores, whose results lie across lanes in one way.
namespace terminus::models::cuda {

// A row's maximum is let stand until another is this much larger (in powers of two): results are
// the same, for sums and values share it, and most steps need not rescale what was summed.
constexpr float kSlack = 8;
// What scores are multiplied by to become powers of two: log2(e) / √64.
constexpr float kScale = 1.4426950408889634f / 8;

__device__ __forceinline__ float Exp2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

__device__ __forceinline__ uint32_t PackBf16(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const uint32_t*>(&pair);
}

// The largest, or the sum, over the four lanes that hold a row.
template <bool kMax>
__device__ __forceinline__ float OverRow(float x) {
#pragma unroll
  for (int step = 1; step < 4; step *= 2) {
    const float other = __shfl_xor_sync(0xffffffffu, x, step);
    x = kMax ? fmaxf(x, other) : x + other;
  }
  return x;
}

// The softmax so far of the two rows that a lane has values of.
struct RowState {
  float maximum[2];  // In powers of two, scaled.
  float sum[2];      // This lane's part.
};

__device__ __forceinline__ void Start(RowState& rows, float (&out)[8][4]) {
#pragma unroll
  for (int part = 0; part < 8; ++part) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      out[part][i] = 0;
    }
  }
  rows.maximum[0] = rows.maximum[1] = -INFINITY;
  rows.sum[0] = rows.sum[1] = 0;
}

// Scores of keys from `key` on, in tiles of 8, by queries from `first` on, of which a warp has 16:
// keys beyond the sequence's end, or the query's own place, do not count.
template <int kTiles>
__device__ __forceinline__ void Mask(float (&scores)[kTiles][4], int key, int first, int length,
                                     bool causal, int lane) {
#pragma unroll
  for (int n = 0; n < kTiles; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int column = key + n * 8 + (lane % 4) * 2 + (i & 1);
      const int row = first + (i >> 1) * 8 + lane / 4;
      const int limit = causal ? min(row + 1, length) : length;
      if (column >= limit) {
        scores[n][i] = -INFINITY;
      }
    }
  }
}

// scores → weights, with the rows' maxima, sums and outputs brought up to date.
template <int kTiles>
__device__ __forceinline__ void Softmax(float (&scores)[kTiles][4], RowState& rows,
                                        float (&out)[8][4]) {
  float largest[2];
  bool grew = false;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float x = -INFINITY;
#pragma unroll
    for (int n = 0; n < kTiles; ++n) {
      x = fmaxf(x, fmaxf(scores[n][half * 2], scores[n][half * 2 + 1]));
    }
    largest[half] = OverRow<true>(x) * kScale;
    grew |= largest[half] > rows.maximum[half] + kSlack;
  }
  if (__any_sync(0xffffffffu, grew)) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float before = rows.maximum[half];
      const float now = fmaxf(before, largest[half]);
      // Nothing summed yet, or a row without keys: no rescaling of zeros by 0/0.
      const float factor = before == -INFINITY ? 0.0f : Exp2(before - now);
      rows.maximum[half] = now;
      rows.sum[half] *= factor;
#pragma unroll
      for (int part = 0; part < 8; ++part) {
        out[part][half * 2] *= factor;
        out[part][half * 2 + 1] *= factor;
      }
    }
  }
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const float maximum = rows.maximum[half] == -INFINITY ? 0 : rows.maximum[half];
#pragma unroll
    for (int n = 0; n < kTiles; ++n) {
#pragma unroll
      for (int i = half * 2; i < half * 2 + 2; ++i) {
        scores[n][i] = Exp2(scores[n][i] * kScale - maximum);
        rows.sum[half] += scores[n][i];
      }
    }
  }
}

// The rows of a warp's 16 queries from `first` on.
__device__ __forceinline__ void Store(const RowState& rows, const float (&weighted)[8][4],
                                      const TerminusCudaAttention& args, const Item& item,
                                      int first, int lane) {
  const TerminusCudaOutput& out = args.out;
  const int64_t stride = int64_t{args.heads} * kHeadDim;
  const int64_t at = item.begin * stride + item.head * kHeadDim;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int row = first + half * 8 + lane / 4;
    const float sum = OverRow<false>(rows.sum[half]);
    if (row >= item.length) {
      continue;
    }
    const float factor = (out.fp8 == nullptr ? 1.0f : out.scale) / sum;
    const int64_t to = at + row * stride + lane % 4 * 2;
#pragma unroll
    for (int part = 0; part < 8; ++part) {
      const float low = weighted[part][half * 2] * factor;
      const float high = weighted[part][half * 2 + 1] * factor;
      if (out.fp8 == nullptr) {
        *reinterpret_cast<uint32_t*>(static_cast<__nv_bfloat16*>(out.bf16) + to + part * 8) =
            PackBf16(low, high);
      } else {
        *reinterpret_cast<__nv_fp8x2_storage_t*>(static_cast<uint8_t*>(out.fp8) + to + part * 8) =
            __nv_cvt_float2_to_fp8x2(make_float2(low, high), __NV_SATFINITE, __NV_E4M3);
      }
    }
  }
}

}  // namespace terminus::models::cuda
