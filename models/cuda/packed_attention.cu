#include "models/cuda/attention_items.cuh"
#include "models/cuda/attention_softmax.cuh"
#include "models/cuda/hopper_attention.h"
#include "models/cuda/packed_attention.h"

// A block works on a (sequence, head, range of queries) after the other; each of its warps takes 16
// queries against all keys, 32 at a time, with a running maximum and sum (Milakov & Gimelshein
// 2018; Dao et al. 2022).
namespace terminus::models::cuda {
namespace {

constexpr int kQueries = 16;  // Of a warp.
constexpr int kKeys = 32;     // Of a step.
constexpr int kMaxWarps = 20;

__device__ __forceinline__ void LoadMatrices(uint32_t (&r)[4], uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address));
}

__device__ __forceinline__ void LoadMatricesTransposed(uint32_t (&r)[4], uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address));
}

// c += a · b, 16 × 16 by 16 × 8.
__device__ __forceinline__ void Multiply(float (&c)[4], const uint32_t (&a)[4], uint32_t b0,
                                         uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// What a warp holds of its 16 queries; of each tile of 16 × 8 a lane has two values of two rows.
struct WarpTile {
  uint32_t q[4][4];  // [step of 16 over the head][register]
  float out[8][4];   // [8 values of the head][register]
  RowState rows;
};

// Of the 16 rows that begin at `queries`.
__device__ __forceinline__ void LoadQueries(WarpTile& warp, uint32_t queries, int lane) {
#pragma unroll
  for (int step = 0; step < 4; ++step) {
    LoadMatrices(warp.q[step],
                 queries + (lane & 15) * kRowBytes + Swizzled(lane, step * 2 + (lane >> 4)));
  }
}

// Scores of the queries and the 32 keys that begin at `keys`.
__device__ __forceinline__ void Scores(float (&scores)[4][4], const WarpTile& warp, uint32_t keys,
                                       int lane) {
#pragma unroll
  for (int n = 0; n < 4; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      scores[n][i] = 0;
    }
  }
  // Lanes 0-7 point at keys 0-7 and the first 8 values, 8-15 at the next 8 values, 16-31 at keys
  // 8-15.
  const int row = (lane & 7) + ((lane >> 4) << 3);
  const int part = (lane >> 3) & 1;
#pragma unroll
  for (int step = 0; step < 4; ++step) {
    const uint32_t from = keys + row * kRowBytes + Swizzled(lane, step * 2 + part);
#pragma unroll
    for (int pair = 0; pair < 2; ++pair) {
      uint32_t b[4];
      LoadMatrices(b, from + pair * 16 * kRowBytes);
      Multiply(scores[pair * 2], warp.q[step], b[0], b[1]);
      Multiply(scores[pair * 2 + 1], warp.q[step], b[2], b[3]);
    }
  }
}

// out += weights · the 32 keys' values, which begin at `values`.
__device__ __forceinline__ void AddValues(WarpTile& warp, const float (&weights)[4][4],
                                          uint32_t values, int lane) {
  const int row = lane & 15;
  const int part = lane >> 4;
#pragma unroll
  for (int step = 0; step < 2; ++step) {
    uint32_t a[4];
    a[0] = PackBf16(weights[step * 2][0], weights[step * 2][1]);
    a[1] = PackBf16(weights[step * 2][2], weights[step * 2][3]);
    a[2] = PackBf16(weights[step * 2 + 1][0], weights[step * 2 + 1][1]);
    a[3] = PackBf16(weights[step * 2 + 1][2], weights[step * 2 + 1][3]);
#pragma unroll
    for (int pair = 0; pair < 4; ++pair) {
      uint32_t b[4];
      LoadMatricesTransposed(
          b, values + (row + step * 16) * kRowBytes + Swizzled(lane, pair * 2 + part));
      Multiply(warp.out[pair * 2], a, b[0], b[1]);
      Multiply(warp.out[pair * 2 + 1], a, b[2], b[3]);
    }
  }
}

// What one warp does with the 32 keys from `key` on.
__device__ __forceinline__ void Step(WarpTile& warp, uint32_t keys, uint32_t values, int key,
                                     int first, int length, bool causal, int lane) {
  float scores[4][4];
  Scores(scores, warp, keys + key * kRowBytes, lane);
  if (key + kKeys > length || (causal && key + kKeys > first + 1)) {
    Mask(scores, key, first, length, causal, lane);
  }
  Softmax(scores, warp.rows, warp.out);
  AddValues(warp, scores, values + key * kRowBytes, lane);
}

struct WarpKernel {
  __host__ __device__ static int Keys(int length) { return (length + kKeys - 1) / kKeys * kKeys; }

  __device__ static void Ready() {}

  __device__ static void Compute(const Buffer& buffer, const Item& item,
                                 const TerminusCudaAttention& args) {
    const int lane = threadIdx.x % 32;
    const int row = threadIdx.x / 32 * kQueries;
    const int first = item.first + row;
    if (first >= item.length) {
      return;
    }
    const int last = args.causal ? min(item.length, first + kQueries) : item.length;
    WarpTile warp;
    LoadQueries(warp, buffer.queries + row * kRowBytes, lane);
    Start(warp.rows, warp.out);
    for (int key = 0; key < last; key += kKeys) {
      Step(warp, buffer.keys, buffer.values, key, first, item.length, args.causal, lane);
    }
    Store(warp.rows, warp.out, args, item, first, lane);
  }
};

__global__ void __launch_bounds__(kMaxWarps * 32, 1)
    PackedAttention(TerminusCudaAttention args, Plan plan) {
  extern __shared__ __align__(1024) unsigned char shared[];
  RunItems<WarpKernel>(args, plan, SharedAddress(shared));
}

}  // namespace

cudaError_t LaunchPackedAttention(const TerminusCudaAttention& args, cudaStream_t stream) {
  if (args.sequences < 0 || args.max_length < 0 || args.heads < 1) {
    return cudaErrorInvalidValue;
  }
  if (args.sequences == 0 || args.max_length == 0) {
    return cudaSuccess;
  }
  if (const cudaError_t error = LaunchHopperAttention(args, stream);
      error != cudaErrorNotSupported) {
    return error;
  }
  return LaunchItems(PackedAttention, args,
                     {.queries = kQueries,
                      .threads = 32,
                      .max_tiles = kMaxWarps,
                      .keys = WarpKernel::Keys(args.max_length)},
                     stream);
}

}  // namespace terminus::models::cuda
