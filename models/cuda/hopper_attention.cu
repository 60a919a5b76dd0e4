#include "models/cuda/attention_items.cuh"
#include "models/cuda/attention_softmax.cuh"
#include "models/cuda/hopper.h"
#include "models/cuda/hopper_attention.h"

// Four warps take 64 queries together, by products that the tensor cores read from shared memory
// themselves (wgmma): against 64 keys at a time, the rest against 16 where that is enough. Rows of
// 128 bytes, permuted as Swizzled does it in groups of eight, are what these products call a
// swizzle of 128 bytes; keys are read with the head's values contiguous, values across.
namespace terminus::models::cuda {
namespace {

constexpr int kQueries = 64;  // Of four warps.
constexpr int kKeys = 64;     // Of a step.
constexpr int kLastKeys = 16;
constexpr int kMaxGroups = 5;

// Of rows that begin at a multiple of 1,024 bytes, plus a part of the first one's: 1,024 bytes from
// one group of eight rows to the next, swizzled.
__device__ __forceinline__ uint64_t Descriptor(uint32_t address) {
  constexpr uint64_t kLayout = uint64_t{1} << 62 | uint64_t{1024 >> 4} << 32 | uint64_t{1} << 16;
  return kLayout | (address & 0x3ffff) >> 4;
}

__device__ __forceinline__ void BeginProducts() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

__device__ __forceinline__ void CommitProducts() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

__device__ __forceinline__ void WaitForProducts() {
  asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
}

// The compiler must not take what a product writes for known before it was waited for.
template <int kTiles>
__device__ __forceinline__ void Touch(float (&values)[kTiles][4]) {
#pragma unroll
  for (int n = 0; n < kTiles; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      asm volatile("" : "+f"(values[n][i])::"memory");
    }
  }
}

#define TERMINUS_TILE(c) "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
#define TERMINUS_TWO_TILES(c) TERMINUS_TILE(c[0]), TERMINUS_TILE(c[1])
#define TERMINUS_EIGHT_TILES(c)                                                         \
  TERMINUS_TWO_TILES(c), TERMINUS_TILE(c[2]), TERMINUS_TILE(c[3]), TERMINUS_TILE(c[4]), \
      TERMINUS_TILE(c[5]), TERMINUS_TILE(c[6]), TERMINUS_TILE(c[7])

// scores (+)= queries · keysᵀ over 16 values of the head: of 64 keys, and of 16.
__device__ __forceinline__ void MultiplyKeys(float (&scores)[8][4], uint64_t queries, uint64_t keys,
                                             bool add) {
  asm volatile(
      "{\n.reg .pred add;\nsetp.ne.b32 add, %34, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {%0, %1, %2, %3, %4, %5, %6, %7, %8, "
      "%9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, "
      "%27, %28, %29, %30, %31}, %32, %33, add, 1, 1, 0, 0;\n}"
      : TERMINUS_EIGHT_TILES(scores)
      : "l"(queries), "l"(keys), "r"(static_cast<int>(add)));
}

__device__ __forceinline__ void MultiplyKeys(float (&scores)[2][4], uint64_t queries, uint64_t keys,
                                             bool add) {
  asm volatile(
      "{\n.reg .pred add;\nsetp.ne.b32 add, %10, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n16k16.f32.bf16.bf16 {%0, %1, %2, %3, %4, %5, %6, %7}, %8, "
      "%9, add, 1, 1, 0, 0;\n}"
      : TERMINUS_TWO_TILES(scores)
      : "l"(queries), "l"(keys), "r"(static_cast<int>(add)));
}

// out += weights · values of 16 keys.
__device__ __forceinline__ void MultiplyValues(float (&out)[8][4], const uint32_t (&weights)[4],
                                               uint64_t values) {
  asm volatile(
      "{\n.reg .pred add;\nsetp.ne.b32 add, %37, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {%0, %1, %2, %3, %4, %5, %6, %7, %8, "
      "%9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, "
      "%27, %28, %29, %30, %31}, {%32, %33, %34, %35}, %36, add, "
      "1, 1, 1;\n}"
      : TERMINUS_EIGHT_TILES(out)
      : "r"(weights[0]), "r"(weights[1]), "r"(weights[2]), "r"(weights[3]), "l"(values), "r"(1));
}

#undef TERMINUS_EIGHT_TILES
#undef TERMINUS_TWO_TILES
#undef TERMINUS_TILE

// What four warps work on, and what a lane holds of it.
struct GroupTile {
  uint32_t queries;  // In shared memory.
  int first;         // Query of this warp's 16.
  int length;
  bool causal;
  int lane;
  float out[8][4];
  RowState rows;
};

// The kTiles · 8 keys from `key` on. Products are waited for at once: letting them run beside the
// next step's would take more registers than five times four warps have, and other warps have work
// meanwhile.
template <int kTiles>
__device__ __forceinline__ void Step(GroupTile& tile, const Buffer& buffer, int key) {
  float scores[kTiles][4];
  Touch(scores);
  BeginProducts();
#pragma unroll
  for (int step = 0; step < 4; ++step) {
    MultiplyKeys(scores, Descriptor(tile.queries + step * 32),
                 Descriptor(buffer.keys + key * kRowBytes + step * 32), step > 0);
  }
  CommitProducts();
  WaitForProducts();
  Touch(scores);
  // A warp without queries takes part in the products alone.
  if (tile.first < tile.length) {
    if (key + kTiles * 8 > tile.length || (tile.causal && key + kTiles * 8 > tile.first + 1)) {
      Mask(scores, key, tile.first, tile.length, tile.causal, tile.lane);
    }
    Softmax(scores, tile.rows, tile.out);
  }
  uint32_t weights[kTiles / 2][4];
#pragma unroll
  for (int step = 0; step < kTiles / 2; ++step) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float* const pair = scores[step * 2 + i / 2] + i % 2 * 2;
      weights[step][i] = PackBf16(pair[0], pair[1]);
    }
  }
  Touch(tile.out);
  BeginProducts();
#pragma unroll
  for (int step = 0; step < kTiles / 2; ++step) {
    MultiplyValues(tile.out, weights[step],
                   Descriptor(buffer.values + (key + step * 16) * kRowBytes));
  }
  CommitProducts();
  WaitForProducts();
  Touch(tile.out);
}

struct GroupKernel {
  __host__ __device__ static int Keys(int length) {
    const int rest = length % kKeys;
    return length - rest + (rest == 0 ? 0 : rest <= kLastKeys ? kLastKeys : kKeys);
  }

  // The tensor cores read shared memory by a way of their own.
  __device__ static void Ready() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

  __device__ static void Compute(const Buffer& buffer, const Item& item,
                                 const TerminusCudaAttention& args) {
    // The same in all lanes, which the compiler cannot know: addresses then need no lane's own
    // registers.
    const int group = __shfl_sync(0xffffffffu, static_cast<int>(threadIdx.x) / 128, 0) * kQueries;
    const int first = item.first + group;
    if (first >= item.length) {
      return;
    }
    GroupTile tile;
    tile.queries = buffer.queries + group * kRowBytes;
    tile.first = first + threadIdx.x % 128 / 32 * 16;
    tile.length = item.length;
    tile.causal = args.causal;
    tile.lane = threadIdx.x % 32;
    Start(tile.rows, tile.out);
    const int last = args.causal ? min(item.length, first + kQueries) : item.length;
    int key = 0;
    for (; last - key > kLastKeys; key += kKeys) {
      Step<kKeys / 8>(tile, buffer, key);
    }
    if (key < last) {
      Step<kLastKeys / 8>(tile, buffer, key);
    }
    Store(tile.rows, tile.out, args, item, tile.first, tile.lane);
  }
};

__global__ void __launch_bounds__(kMaxGroups * 128, 1)
    HopperAttention(TerminusCudaAttention args, Plan plan) {
  extern __shared__ __align__(1024) unsigned char shared[];
  RunItems<GroupKernel>(args, plan, SharedAddress(shared));
}

}  // namespace

cudaError_t LaunchHopperAttention(const TerminusCudaAttention& args, cudaStream_t stream) {
  if (!IsHopper()) {
    return cudaErrorNotSupported;
  }
  const cudaError_t error = LaunchItems(HopperAttention, args,
                                        {.queries = kQueries,
                                         .threads = 128,
                                         .max_tiles = kMaxGroups,
                                         .keys = GroupKernel::Keys(args.max_length)},
                                        stream);
  return error == cudaErrorInvalidValue ? cudaErrorNotSupported : error;
}

}  // namespace terminus::models::cuda
