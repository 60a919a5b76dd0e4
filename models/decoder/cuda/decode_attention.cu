#include <cuda_bf16.h>

#include <cmath>

#include "models/cuda/launch.cuh"
#include "models/decoder/cuda/decode_attention.h"

namespace terminus::models::decoder::cuda {
namespace {

using models::cuda::LaunchBehind;
using models::cuda::LetNextStart;
using models::cuda::WaitForBefore;

constexpr int kWarps = 4;
constexpr int kThreads = kWarps * 32;
constexpr int kHeads = 8;  // Columns of a tensor core product.
constexpr float kLog2E = 1.4426950408889634f;

template <int kHeadDim>
struct Sizes {
  static constexpr int kChunks = kHeadDim / 8;  // Of 16 bytes, in a row of a block.
  static constexpr int kRowBytes = kHeadDim * 2;
  static constexpr int kBlockBytes = kBlockTokens * kRowBytes;
  static constexpr int kStages = kHeadDim == 128 ? 3 : 6;
  static constexpr int kWarpBytes = kStages * 2 * kBlockBytes;  // Keys and values.
  static constexpr int kSharedBytes = kWarps * kWarpBytes;
};

__device__ __forceinline__ void CopyAsync(uint32_t to, const void* from) {
  asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16;" ::"r"(to), "l"(from));
}
__device__ __forceinline__ void CommitCopies() { asm volatile("cp.async.commit_group;"); }
template <int kPending>
__device__ __forceinline__ void WaitForCopies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending));
}

__device__ __forceinline__ void LoadMatrix(uint32_t from, uint32_t (&m)[4]) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3])
               : "r"(from));
}
__device__ __forceinline__ void LoadTransposed(uint32_t from, uint32_t (&m)[4]) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3])
               : "r"(from));
}
__device__ __forceinline__ uint32_t Transpose(uint32_t m) {
  uint32_t transposed;
  asm volatile("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;" : "=r"(transposed) : "r"(m));
  return transposed;
}

// c [16, 8] += a [16, 16] · b [16, 8]
__device__ __forceinline__ void MultiplyAdd(float (&c)[4], const uint32_t (&a)[4], uint32_t b0,
                                            uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, "
      "{%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

__device__ __forceinline__ uint32_t Pack(float x, float y) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(x, y);
  return *reinterpret_cast<const uint32_t*>(&pair);
}

// Over the lanes that hold the same two columns of a product: those of equal lane % 4.
__device__ __forceinline__ float ColumnMax(float x) {
#pragma unroll
  for (int step = 4; step < 32; step *= 2) {
    x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, step));
  }
  return x;
}
__device__ __forceinline__ float ColumnSum(float x) {
#pragma unroll
  for (int step = 4; step < 32; step *= 2) {
    x += __shfl_xor_sync(0xffffffffu, x, step);
  }
  return x;
}

// A warp copies one block's keys (or values) of a head: contiguous in the cache, with the 16-byte
// chunks of a row exchanged in shared memory so that eight rows' equal chunks lie in all banks.
template <int kHeadDim>
__device__ __forceinline__ void CopyBlock(uint32_t to, const Bf16* from, int lane) {
  constexpr int kChunks = Sizes<kHeadDim>::kChunks;
#pragma unroll
  for (int i = 0; i < kBlockTokens * kChunks / 32; ++i) {
    const int index = i * 32 + lane;
    const int row = index / kChunks;
    const int chunk = index % kChunks;
    CopyAsync(to + row * Sizes<kHeadDim>::kRowBytes + (chunk ^ (row & 7)) * 16, from + index * 8);
  }
}

template <int kHeadDim>
__device__ __forceinline__ uint32_t ChunkAddress(uint32_t block, int row, int chunk) {
  return block + row * Sizes<kHeadDim>::kRowBytes + (chunk ^ (row & 7)) * 16;
}

// What a warp, or all of them, know of the attention of up to 8 heads. A lane has the columns
// (heads) 2 · (lane % 4) and the one behind it, and the rows lane / 4 and 8 further on of each
// tile: its dimensions.
template <int kHeadDim>
struct State {
  float sums[kHeadDim / 16][4] = {};
  float largest[2] = {-INFINITY, -INFINITY};
  float weight[2] = {};  // Of the lane's own tokens alone.
};

// Takes in one block: scores of its tokens, then their values.
template <int kHeadDim>
__device__ __forceinline__ void TakeBlock(State<kHeadDim>& state, uint32_t keys, uint32_t values,
                                          const uint32_t (&query)[kHeadDim / 16][2], int first,
                                          int last, float scale, int lane) {
  float scores[4] = {};
  const int key_row = (lane & 7) + ((lane >> 3) & 1) * 8;
#pragma unroll
  for (int step = 0; step < kHeadDim / 16; ++step) {
    uint32_t a[4];
    LoadMatrix(ChunkAddress<kHeadDim>(keys, key_row, 2 * step + (lane >> 4)), a);
    MultiplyAdd(scores, a, query[step][0], query[step][1]);
  }
  const int low = lane / 4;
  const bool low_valid = low >= first && low < last;
  const bool high_valid = low + 8 >= first && low + 8 < last;
  float p[4];
#pragma unroll
  for (int column = 0; column < 2; ++column) {
    const float x = low_valid ? scores[column] * scale : -INFINITY;
    const float y = high_valid ? scores[column + 2] * scale : -INFINITY;
    // Some token of every block is valid, so that the maximum is finite.
    const float largest = fmaxf(state.largest[column], ColumnMax(fmaxf(x, y)));
    const float shrink = exp2f(state.largest[column] - largest);
    state.largest[column] = largest;
    p[column] = exp2f(x - largest);
    p[column + 2] = exp2f(y - largest);
    state.weight[column] = state.weight[column] * shrink + p[column] + p[column + 2];
#pragma unroll
    for (int tile = 0; tile < kHeadDim / 16; ++tile) {
      state.sums[tile][column] *= shrink;
      state.sums[tile][column + 2] *= shrink;
    }
  }
  const uint32_t b0 = Transpose(Pack(p[0], p[1]));
  const uint32_t b1 = Transpose(Pack(p[2], p[3]));
  const int value_row = (lane & 7) + (lane >> 4) * 8;
#pragma unroll
  for (int tile = 0; tile < kHeadDim / 16; ++tile) {
    uint32_t a[4];
    LoadTransposed(ChunkAddress<kHeadDim>(values, value_row, 2 * tile + ((lane >> 3) & 1)), a);
    MultiplyAdd(state.sums[tile], a, b0, b1);
  }
}

// Zeros the values of a block from token `last` on: they are of no token, and may be numbers of a
// sequence that had the block before, even such that are not finite.
template <int kHeadDim>
__device__ __forceinline__ void ZeroTail(uint32_t values, int last, int lane) {
  constexpr int kChunks = kHeadDim / 8;
  for (int i = last * kChunks + lane; i < kBlockTokens * kChunks; i += 32) {
    asm volatile("st.shared.v4.b32 [%0], {%1, %1, %1, %1};" ::"r"(
                     ChunkAddress<kHeadDim>(values, i / kChunks, i % kChunks)),
                 "r"(0)
                 : "memory");
  }
  __syncwarp();
}

// Shared memory of the merge: each warp's sums [warps, 8 heads, head_dim + 4], then [warps, 8]
// maximum and weight.
template <int kHeadDim>
struct Merge {
  static constexpr int kStride = kHeadDim + 4;
  float sums[kWarps][kHeads][kStride];
  float2 weights[kWarps][kHeads];
};

template <int kHeadDim>
__device__ void Put(const State<kHeadDim>& state, int warp, int lane, Merge<kHeadDim>* merge) {
#pragma unroll
  for (int column = 0; column < 2; ++column) {
    const int head = 2 * (lane % 4) + column;
    const float weight = ColumnSum(state.weight[column]);
    if (lane / 4 == 0) {
      merge->weights[warp][head] = make_float2(state.largest[column], weight);
    }
#pragma unroll
    for (int tile = 0; tile < kHeadDim / 16; ++tile) {
      merge->sums[warp][head][tile * 16 + lane / 4] = state.sums[tile][column];
      merge->sums[warp][head][tile * 16 + lane / 4 + 8] = state.sums[tile][column + 2];
    }
  }
}

__device__ __forceinline__ float Shrink(float from, float to) {
  return from == -INFINITY ? 0.f : exp2f(from - to);
}

template <int kHeadDim>
__global__ void __launch_bounds__(kThreads) DecodeAttention(DecodeAttentionArgs args) {
  extern __shared__ __align__(128) uint8_t shared[];
  LetNextStart();
  const int item_index = blockIdx.y;
  // Written at the beginning of the step, far ahead of the kernel before this one.
  if (item_index >= *args.item_count) {
    return;
  }
  const DecodeItem item = args.items[item_index];
  // A thread block has kHeads of the query heads that share a KV head, at most.
  const int sharing = args.heads / args.kv_heads;
  const int parts = (sharing + kHeads - 1) / kHeads;
  const int kv_head = blockIdx.x / parts;
  const int first_of_group = blockIdx.x % parts * kHeads;
  const int first_head = kv_head * sharing + first_of_group;
  const int group = min(kHeads, sharing - first_of_group);
  const int warp = threadIdx.x / 32;
  const int lane = threadIdx.x % 32;
  const int blocks = (item.tokens + kBlockTokens - 1) / kBlockTokens;
  const int own_blocks = warp < blocks ? (blocks - 1 - warp) / kWarps + 1 : 0;
  const uint32_t ring =
      static_cast<uint32_t>(__cvta_generic_to_shared(shared)) + warp * Sizes<kHeadDim>::kWarpBytes;

  const auto copy = [&](int own) {
    const int64_t id = args.kv_indices[item.table + warp + own * kWarps];
    const int64_t at = (id * args.kv_heads + kv_head) * kBlockTokens * kHeadDim;
    const uint32_t stage =
        ring + (own % Sizes<kHeadDim>::kStages) * 2 * Sizes<kHeadDim>::kBlockBytes;
    CopyBlock<kHeadDim>(stage, args.cache.keys + at, lane);
    CopyBlock<kHeadDim>(stage + Sizes<kHeadDim>::kBlockBytes, args.cache.values + at, lane);
  };
  // The kernel before writes this step's token; all other blocks are there already.
  const auto is_new = [&](int own) {
    return item.newest != 0 && warp + own * kWarps == blocks - 1;
  };
  constexpr int kAhead = Sizes<kHeadDim>::kStages - 1;
  int copied = 0;
  while (copied < kAhead && copied < own_blocks && !is_new(copied)) {
    copy(copied);
    CommitCopies();
    ++copied;
  }
  WaitForBefore();
  for (; copied < kAhead; ++copied) {
    if (copied < own_blocks) {
      copy(copied);
    }
    CommitCopies();
  }

  uint32_t query[kHeadDim / 16][2];
  const int head = lane / 4;
  const Bf16* q = args.qkv + int64_t{item.row} * (args.heads + 2 * args.kv_heads) * kHeadDim +
                  (first_head + head) * kHeadDim + (lane % 4) * 2;
#pragma unroll
  for (int step = 0; step < kHeadDim / 16; ++step) {
    query[step][0] = head < group ? *reinterpret_cast<const uint32_t*>(q + step * 16) : 0;
    query[step][1] = head < group ? *reinterpret_cast<const uint32_t*>(q + step * 16 + 8) : 0;
  }

  State<kHeadDim> state;
  const float scale = args.scale * kLog2E;
  for (int own = 0; own < own_blocks; ++own) {
    if (own + kAhead < own_blocks) {
      copy(own + kAhead);
    }
    CommitCopies();
    WaitForCopies<kAhead>();
    __syncwarp();
    const int block = warp + own * kWarps;
    const uint32_t stage =
        ring + (own % Sizes<kHeadDim>::kStages) * 2 * Sizes<kHeadDim>::kBlockBytes;
    const uint32_t values = stage + Sizes<kHeadDim>::kBlockBytes;
    const int last = item.tokens - block * kBlockTokens;
    if (last < kBlockTokens) {
      ZeroTail<kHeadDim>(values, last, lane);
    }
    TakeBlock<kHeadDim>(state, stage, values, query, block == 0 ? item.skipped : 0, last, scale,
                        lane);
    __syncwarp();
  }
  WaitForCopies<0>();
  __syncthreads();
  auto* merge = reinterpret_cast<Merge<kHeadDim>*>(shared);
  Put(state, warp, lane, merge);
  __syncthreads();

  for (int i = threadIdx.x; i < group * kHeadDim; i += kThreads) {
    const int h = i / kHeadDim;
    const int dim = i % kHeadDim;
    float largest = -INFINITY;
#pragma unroll
    for (int w = 0; w < kWarps; ++w) {
      largest = fmaxf(largest, merge->weights[w][h].x);
    }
    float sum = 0;
    float weight = 0;
#pragma unroll
    for (int w = 0; w < kWarps; ++w) {
      const float shrink = Shrink(merge->weights[w][h].x, largest);
      sum += merge->sums[w][h][dim] * shrink;
      weight += merge->weights[w][h].y * shrink;
    }
    if (item.splits == 1) {
      args.out[(int64_t{item.row} * args.heads + first_head + h) * kHeadDim + dim] =
          __float2bfloat16_rn(sum / weight);
      continue;
    }
    const int64_t part = int64_t{item.partial + item.split} * args.heads + first_head + h;
    args.partial_sums[part * kHeadDim + dim] = sum;
    if (dim == 0) {
      args.partial_weights[part] = make_float2(largest, weight);
    }
  }
  if (item.splits == 1) {
    return;
  }

  // The thread block that arrives last merges the parts, in their order.
  __shared__ bool is_last;
  __threadfence();
  __syncthreads();
  int32_t* const arrived = args.arrived + item.row * gridDim.x + blockIdx.x;
  if (threadIdx.x == 0) {
    is_last = atomicAdd(arrived, 1) == item.splits - 1;
  }
  __syncthreads();
  if (!is_last) {
    return;
  }
  __threadfence();
  for (int i = threadIdx.x; i < group * kHeadDim; i += kThreads) {
    const int h = i / kHeadDim;
    const int dim = i % kHeadDim;
    const int64_t first = int64_t{item.partial} * args.heads + first_head + h;
    float largest = -INFINITY;
    for (int split = 0; split < item.splits; ++split) {
      largest =
          fmaxf(largest, __ldcg(&args.partial_weights[first + int64_t{split} * args.heads].x));
    }
    float sum = 0;
    float weight = 0;
    for (int split = 0; split < item.splits; ++split) {
      const int64_t part = first + int64_t{split} * args.heads;
      const float shrink = Shrink(__ldcg(&args.partial_weights[part].x), largest);
      sum += __ldcg(&args.partial_sums[part * kHeadDim + dim]) * shrink;
      weight += __ldcg(&args.partial_weights[part].y) * shrink;
    }
    args.out[(int64_t{item.row} * args.heads + first_head + h) * kHeadDim + dim] =
        __float2bfloat16_rn(sum / weight);
  }
  if (threadIdx.x == 0) {
    *arrived = 0;
  }
}

template <int kHeadDim>
cudaError_t AllowSharedMemory() {
  static_assert(sizeof(Merge<kHeadDim>) <= Sizes<kHeadDim>::kSharedBytes, "the merge must fit");
  return cudaFuncSetAttribute(DecodeAttention<kHeadDim>,
                              cudaFuncAttributeMaxDynamicSharedMemorySize,
                              Sizes<kHeadDim>::kSharedBytes);
}

template <int kHeadDim>
cudaError_t Launch(const DecodeAttentionArgs& args, cudaStream_t stream) {
  if (const cudaError_t error = AllowSharedMemory<kHeadDim>(); error != cudaSuccess) {
    return error;
  }
  return LaunchBehind(DecodeAttention<kHeadDim>,
                      dim3(DecodeGroups(args.heads, args.kv_heads), args.max_items), dim3(kThreads),
                      Sizes<kHeadDim>::kSharedBytes, stream, args);
}

template <int kHeadDim>
int Slots() {
  int device = 0;
  int processors = 0;
  int blocks = 0;
  if (AllowSharedMemory<kHeadDim>() != cudaSuccess || cudaGetDevice(&device) != cudaSuccess ||
      cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device) != cudaSuccess ||
      cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, DecodeAttention<kHeadDim>, kThreads,
                                                    Sizes<kHeadDim>::kSharedBytes) != cudaSuccess) {
    return 0;
  }
  return processors * blocks;
}

}  // namespace

cudaError_t LaunchDecodeAttention(const DecodeAttentionArgs& args, cudaStream_t stream) {
  return args.head_dim == 128 ? Launch<128>(args, stream) : Launch<64>(args, stream);
}

int DecodeGroups(int heads, int kv_heads) {
  return kv_heads * ((heads / kv_heads + kHeads - 1) / kHeads);
}

int DecodeAttentionSlots(int head_dim) { return head_dim == 128 ? Slots<128>() : Slots<64>(); }

}  // namespace terminus::models::decoder::cuda
