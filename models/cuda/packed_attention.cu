#include <cuda_bf16.h>
#include <cuda_fp8.h>

#include <algorithm>

#include "models/cuda/packed_attention.h"

// A block works on a (sequence, head, range of queries) after the other; each of its warps takes 16
// queries against all keys, 32 at a time, with a running maximum and sum (Milakov & Gimelshein
// 2018; Dao et al. 2022). What the next one needs is copied to shared memory meanwhile: one of 257
// patches takes as long to read as to compute.
namespace terminus::models::cuda {
namespace {

constexpr int kHeadDim = 64;
constexpr int kRowBytes = kHeadDim * 2;
constexpr int kQueries = 16;  // Of a warp.
constexpr int kKeys = 32;     // Of a step.
constexpr int kMaxWarps = 20;
// A row's maximum is let stand until another is this much larger (in powers of two): results are
// the same, for sums and values share it, and most steps need not rescale what was summed.
constexpr float kSlack = 8;

__device__ __forceinline__ uint32_t SharedAddress(const void* pointer) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

// 16 bytes, or zeros where `valid` is false.
__device__ __forceinline__ void CopyAsync(uint32_t to, const void* from, bool valid) {
  const int bytes = valid ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(bytes));
}

__device__ __forceinline__ void CommitCopies() { asm volatile("cp.async.commit_group;"); }

// Waits until at most `kPending` groups of this thread's copies are still on their way.
template <int kPending>
__device__ __forceinline__ void WaitForCopies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

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

__device__ __forceinline__ float Exp2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

__device__ __forceinline__ uint32_t PackBf16(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const uint32_t*>(&pair);
}

// Where a part of 16 bytes lies in its row of 128: the eight are permuted by the row, so that eight
// rows' equal parts are in different banks.
__device__ __forceinline__ uint32_t Swizzled(int row, int part) {
  return static_cast<uint32_t>((part ^ (row & 7)) << 4);
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

// What a warp holds of its 16 queries; of each tile of 16 × 8 a lane has two values of two rows.
struct WarpTile {
  uint32_t q[4][4];  // [step of 16 over the head][register]
  float out[8][4];   // [8 values of the head][register]
  float maximum[2];  // [row], in powers of two, scaled.
  float sum[2];      // This lane's part.
};

// Of the 16 rows that begin at `queries`.
__device__ __forceinline__ void Start(WarpTile& warp, uint32_t queries, int lane) {
#pragma unroll
  for (int step = 0; step < 4; ++step) {
    LoadMatrices(warp.q[step],
                 queries + (lane & 15) * kRowBytes + Swizzled(lane, step * 2 + (lane >> 4)));
  }
#pragma unroll
  for (int part = 0; part < 8; ++part) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      warp.out[part][i] = 0;
    }
  }
  warp.maximum[0] = warp.maximum[1] = -INFINITY;
  warp.sum[0] = warp.sum[1] = 0;
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

// Keys beyond the sequence's end, or the query's own place, do not count.
__device__ __forceinline__ void Mask(float (&scores)[4][4], int key, int first, int length,
                                     bool causal, int lane) {
#pragma unroll
  for (int n = 0; n < 4; ++n) {
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
__device__ __forceinline__ void Softmax(float (&scores)[4][4], WarpTile& warp, float scale) {
  float largest[2];
  bool grew = false;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float x = -INFINITY;
#pragma unroll
    for (int n = 0; n < 4; ++n) {
      x = fmaxf(x, fmaxf(scores[n][half * 2], scores[n][half * 2 + 1]));
    }
    largest[half] = OverRow<true>(x) * scale;
    grew |= largest[half] > warp.maximum[half] + kSlack;
  }
  if (__any_sync(0xffffffffu, grew)) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float before = warp.maximum[half];
      const float now = fmaxf(before, largest[half]);
      // Nothing summed yet, or a row without keys: no rescaling of zeros by 0/0.
      const float factor = before == -INFINITY ? 0.0f : Exp2(before - now);
      warp.maximum[half] = now;
      warp.sum[half] *= factor;
#pragma unroll
      for (int part = 0; part < 8; ++part) {
        warp.out[part][half * 2] *= factor;
        warp.out[part][half * 2 + 1] *= factor;
      }
    }
  }
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const float maximum = warp.maximum[half] == -INFINITY ? 0 : warp.maximum[half];
#pragma unroll
    for (int n = 0; n < 4; ++n) {
#pragma unroll
      for (int i = half * 2; i < half * 2 + 2; ++i) {
        scores[n][i] = Exp2(scores[n][i] * scale - maximum);
        warp.sum[half] += scores[n][i];
      }
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

__device__ __forceinline__ void Store(WarpTile& warp, const TerminusCudaOutput& out, int64_t at,
                                      int64_t stride, int first, int length, int lane) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int row = first + half * 8 + lane / 4;
    const float sum = OverRow<false>(warp.sum[half]);
    if (row >= length) {
      continue;
    }
    const float factor = (out.fp8 == nullptr ? 1.0f : out.scale) / sum;
    const int64_t to = at + row * stride + lane % 4 * 2;
#pragma unroll
    for (int part = 0; part < 8; ++part) {
      const float low = warp.out[part][half * 2] * factor;
      const float high = warp.out[part][half * 2 + 1] * factor;
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

// What one warp does with the 32 keys from `key` on.
__device__ __forceinline__ void Step(WarpTile& warp, uint32_t keys, uint32_t values, int key,
                                     int first, int length, bool causal, int lane) {
  constexpr float kScale = 1.4426950408889634f / 8;  // log2(e) / √64
  float scores[4][4];
  Scores(scores, warp, keys + key * kRowBytes, lane);
  if (key + kKeys > length || (causal && key + kKeys > first + 1)) {
    Mask(scores, key, first, length, causal, lane);
  }
  Softmax(scores, warp, kScale);
  AddValues(warp, scores, values + key * kRowBytes, lane);
}

// What a block works on at one time, and where its rows lie.
struct Item {
  const __nv_bfloat16* qkv;  // Of the sequence's first token and this head.
  int begin;                 // The first token.
  int length;                // Tokens of the sequence.
  int first;                 // The first query.
  int head;
};

// How the work is cut, and how much shared memory each of `buffers` takes.
struct Plan {
  int blocks;  // Of queries, of a sequence.
  int items;
  int buffers;
  int rows;  // Of keys in shared memory; the queries lie before them, the values behind.
};

__device__ __forceinline__ int QueriesOfBlock() {
  return static_cast<int>(blockDim.x) / 32 * kQueries;
}

__device__ __forceinline__ Item FindItem(const TerminusCudaAttention& args, const Plan& plan,
                                         int index) {
  Item item;
  item.head = index % args.heads;
  const int rest = index / args.heads;
  const int sequence = rest / plan.blocks;
  item.first = rest % plan.blocks * QueriesOfBlock();
  item.begin = args.offsets ? args.offsets[sequence] : sequence * args.max_length;
  item.length = args.offsets ? args.offsets[sequence + 1] - item.begin : args.max_length;
  const int64_t stride = int64_t{3} * args.heads * kHeadDim;
  item.qkv = static_cast<const __nv_bfloat16*>(args.qkv) + item.begin * stride +
             int64_t{item.head} * kHeadDim;
  return item;
}

// Rows [begin, end) of one of the three parts; zeros beyond the sequence.
__device__ __forceinline__ void CopyRows(uint32_t to, const __nv_bfloat16* from, int64_t stride,
                                         int begin, int end, int length) {
  for (int i = threadIdx.x; i < (end - begin) * 8; i += blockDim.x) {
    const int row = begin + i / 8;
    // The first row where there is none: an address that is good, of which nothing is read.
    CopyAsync(to + i / 8 * kRowBytes + Swizzled(i / 8, i % 8),
              from + (row < length ? row : 0) * stride + i % 8 * 8, row < length);
  }
}

__device__ __forceinline__ void CopyItem(uint32_t buffer, const Item& item, int rows, int heads) {
  const int64_t hidden = int64_t{heads} * kHeadDim;
  const int padded = (item.length + kKeys - 1) / kKeys * kKeys;
  const int queries = QueriesOfBlock();
  if (item.first < item.length) {
    CopyRows(buffer, item.qkv, 3 * hidden, item.first, item.first + queries, item.length);
    const uint32_t keys = buffer + queries * kRowBytes;
    CopyRows(keys, item.qkv + hidden, 3 * hidden, 0, padded, item.length);
    CopyRows(keys + rows * kRowBytes, item.qkv + 2 * hidden, 3 * hidden, 0, padded, item.length);
  }
}

__device__ __forceinline__ void Compute(uint32_t buffer, const Item& item,
                                        const TerminusCudaAttention& args, int rows) {
  const int lane = threadIdx.x % 32;
  const int row = threadIdx.x / 32 * kQueries;
  const int first = item.first + row;
  if (first >= item.length) {
    return;
  }
  const uint32_t keys = buffer + QueriesOfBlock() * kRowBytes;
  const uint32_t values = keys + rows * kRowBytes;
  const int last = args.causal ? min(item.length, first + kQueries) : item.length;
  WarpTile warp;
  Start(warp, buffer + row * kRowBytes, lane);
  for (int key = 0; key < last; key += kKeys) {
    Step(warp, keys, values, key, first, item.length, args.causal, lane);
  }
  const int64_t hidden = int64_t{args.heads} * kHeadDim;
  Store(warp, args.out, item.begin * hidden + item.head * kHeadDim, hidden, first, item.length,
        lane);
}

__global__ void __launch_bounds__(kMaxWarps * 32, 1)
    PackedAttention(TerminusCudaAttention args, Plan plan) {
  extern __shared__ __align__(128) unsigned char shared[];
  const uint32_t buffer = SharedAddress(shared);
  const uint32_t buffer_bytes = (QueriesOfBlock() + 2 * plan.rows) * kRowBytes;
  const int step = static_cast<int>(gridDim.x);
  int turn = 0;
  if (plan.buffers == 2) {
    CopyItem(buffer, FindItem(args, plan, blockIdx.x), plan.rows, args.heads);
    CommitCopies();
  }
  for (int index = blockIdx.x; index < plan.items; index += step) {
    const uint32_t current = buffer + turn * buffer_bytes;
    const Item item = FindItem(args, plan, index);
    if (plan.buffers == 2) {
      turn ^= 1;
      if (index + step < plan.items) {
        CopyItem(buffer + turn * buffer_bytes, FindItem(args, plan, index + step), plan.rows,
                 args.heads);
      }
      CommitCopies();
      WaitForCopies<1>();
    } else {
      CopyItem(current, item, plan.rows, args.heads);
      CommitCopies();
      WaitForCopies<0>();
    }
    __syncthreads();
    Compute(current, item, args, plan.rows);
    // Before anyone copies over what another still reads.
    __syncthreads();
  }
}

// The device's numbers that a plan depends on.
struct Limits {
  int processors = 0;
  int shared_bytes = 0;
};

cudaError_t FindLimits(Limits& limits) {
  int device = 0;
  cudaError_t error = cudaGetDevice(&device);
  if (error == cudaSuccess) {
    error = cudaDeviceGetAttribute(&limits.processors, cudaDevAttrMultiProcessorCount, device);
  }
  if (error == cudaSuccess) {
    error = cudaDeviceGetAttribute(&limits.shared_bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin,
                                   device);
  }
  return error;
}

}  // namespace

cudaError_t LaunchPackedAttention(const TerminusCudaAttention& args, cudaStream_t stream) {
  if (args.sequences < 0 || args.max_length < 0 || args.heads < 1) {
    return cudaErrorInvalidValue;
  }
  if (args.sequences == 0 || args.max_length == 0) {
    return cudaSuccess;
  }
  Limits limits;
  if (const cudaError_t error = FindLimits(limits); error != cudaSuccess) {
    return error;
  }
  const int tiles = (args.max_length + kQueries - 1) / kQueries;
  const int pairs = args.heads * args.sequences;
  // Few pairs of sequence and head are cut finer, so that every multiprocessor has work.
  const int wanted = std::max((tiles + kMaxWarps - 1) / kMaxWarps, limits.processors / pairs);
  const int rows = (args.max_length + kKeys - 1) / kKeys * kKeys;
  // Long sequences leave room for few queries.
  const int room = (limits.shared_bytes / kRowBytes - 2 * rows) / kQueries;
  if (room < 1) {
    return cudaErrorInvalidValue;
  }
  const int warps = std::min((tiles + std::min(wanted, tiles) - 1) / std::min(wanted, tiles), room);
  Plan plan;
  plan.blocks = (tiles + warps - 1) / warps;
  plan.items = plan.blocks * pairs;
  plan.rows = rows;
  const int buffer_bytes = (warps * kQueries + 2 * plan.rows) * kRowBytes;
  plan.buffers = plan.items > limits.processors && 2 * buffer_bytes <= limits.shared_bytes ? 2 : 1;
  const int bytes = plan.buffers * buffer_bytes;
  cudaError_t error =
      cudaFuncSetAttribute(PackedAttention, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
  int resident = 0;
  if (error == cudaSuccess) {
    error = cudaOccupancyMaxActiveBlocksPerMultiprocessor(&resident, PackedAttention, warps * 32,
                                                          bytes);
  }
  if (error != cudaSuccess) {
    return error;
  }
  const int grid = std::min(plan.items, limits.processors * std::max(resident, 1));
  PackedAttention<<<grid, warps * 32, bytes, stream>>>(args, plan);
  return cudaGetLastError();
}

}  // namespace terminus::models::cuda
