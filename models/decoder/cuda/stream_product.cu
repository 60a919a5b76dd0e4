#include <algorithm>

#include "models/cuda/launch.cuh"
#include "models/decoder/cuda/bulk_copy.cuh"
#include "models/decoder/cuda/stream_product.h"
#include "models/decoder/cuda/tensor_map.h"
#include "models/decoder/cuda/warpgroup.cuh"

namespace terminus::models::decoder::cuda {
namespace {

using models::cuda::LaunchBehind;
using models::cuda::WaitForBefore;

constexpr int kTileRows = 128;  // Of weights: 64 for each of two warpgroups.
constexpr int kTileK = kMapColumns;
constexpr int kConsumers = 256;
constexpr int kThreads = kConsumers + 32;  // And a warp that has the copies made.
constexpr int kTileBytes = kTileRows * kTileK * 2;
constexpr int kSharedBytes = 108 << 10;  // Two thread blocks fit: this and the next kernel's.

template <int kN>
struct Sizes {
  static constexpr int kXBytes = kN * kTileK * 2;
  static constexpr int kStageBytes = kTileBytes + kXBytes;
  static constexpr int kStages = (kSharedBytes - 1024) / kStageBytes;
};

// --- The share of a thread block: units [first, last) of all tiles' columns, kTileK wide each.

struct Work {
  int units_per_tile;
  int total;
  int blocks;

  __device__ int First(int block) const {
    return static_cast<int>(static_cast<int64_t>(total) * block / blocks);
  }
};

// A run of units of one tile.
struct Segment {
  int tile;
  int begin;  // Within the tile.
  int end;
};

// The last unit's segment first, so that a tile's beginning, which another thread block waits for,
// is done before this one's own tiles, and the wait for the thread blocks before comes last.
__device__ __forceinline__ bool NextSegment(const Work& work, int first, int* last,
                                            Segment* segment) {
  if (*last <= first) {
    return false;
  }
  segment->tile = (*last - 1) / work.units_per_tile;
  const int base = segment->tile * work.units_per_tile;
  segment->begin = max(first - base, 0);
  segment->end = *last - base;
  *last = base + segment->begin;
  return true;
}

template <int kN>
struct Ring {
  uint8_t* data;
  uint64_t* full;
  uint64_t* empty;

  __device__ uint32_t Stage(int stage) const {
    return Shared(data) + stage * Sizes<kN>::kStageBytes;
  }
};

// Has all tiles of the thread block's share copied, in the order of the consumers.
template <int kN>
__device__ void Produce(const CUtensorMap* weight, const CUtensorMap* x, const StreamArgs& args,
                        const Work& work, const Ring<kN>& ring) {
  constexpr int kStages = Sizes<kN>::kStages;
  const bool gated = args.output == ProductOutput::kGated;
  const uint64_t once = ReadOncePolicy();
  const uint64_t often = ReadOftenPolicy();
  const int first = work.First(blockIdx.x);
  const int last = work.First(blockIdx.x + 1);
  const auto copy_weights = [&](int stage, int tile, int unit) {
    ArriveExpecting(&ring.full[stage], Sizes<kN>::kStageBytes);
    if (gated) {
      CopyGatedBox(weight, ring.Stage(stage), &ring.full[stage], unit * kTileK,
                   tile * (kTileRows / 2), once);
    } else {
      CopyBox(weight, ring.Stage(stage), &ring.full[stage], unit * kTileK, tile * kTileRows, once);
    }
  };
  const auto copy_x = [&](int stage, int unit) {
    CopyBox(x, ring.Stage(stage) + kTileBytes, &ring.full[stage], unit * kTileK, 0, often);
  };
  // Weights do not depend on the kernel before; x does.
  Segment segment;
  int at = last;
  int count = 0;
  while (count < kStages && NextSegment(work, first, &at, &segment)) {
    for (int unit = segment.begin; unit < segment.end && count < kStages; ++unit) {
      copy_weights(count++, segment.tile, unit);
    }
  }
  WaitForBefore();
  at = last;
  count = 0;
  while (NextSegment(work, first, &at, &segment)) {
    for (int unit = segment.begin; unit < segment.end; ++unit) {
      const int stage = count % kStages;
      if (count >= kStages) {
        WaitFor(&ring.empty[stage], (count / kStages - 1) % 2);
        copy_weights(stage, segment.tile, unit);
      }
      copy_x(stage, unit);
      ++count;
    }
  }
}

__device__ __forceinline__ void SyncConsumers() {
  asm volatile("bar.sync 1, %0;" ::"n"(kConsumers) : "memory");
}

// A thread's sums to its thread block's part of the partial results, where the same thread of the
// tile's owner finds them.
template <int kN>
__device__ void GivePart(const StreamArgs& args, const float (&sums)[kN / 2]) {
  float* const to = args.partial + int64_t{blockIdx.x} * kStreamPartial + threadIdx.x;
#pragma unroll
  for (int i = 0; i < kN / 2; ++i) {
    __stcg(to + i * kConsumers, sums[i]);
  }
  __threadfence();
  SyncConsumers();
  if (threadIdx.x == 0) {
    asm volatile("st.release.gpu.global.s32 [%0], 1;" ::"l"(args.ready + blockIdx.x) : "memory");
  }
}

// Adds the parts of the thread blocks before this one that share the tile, in a fixed order.
template <int kN>
__device__ void TakeParts(const StreamArgs& args, const Work& work, int tile,
                          float (&sums)[kN / 2]) {
  const int base = tile * work.units_per_tile;
  int first = blockIdx.x;
  while (first > 0 && work.First(first) > base) {
    --first;
  }
  const int parts = blockIdx.x - first;
  // Thread i waits for part i: all at a time. There are never more parts than threads, because each
  // has a unit of the tile, unless the thread blocks outnumber the units: those parts are empty.
  if (threadIdx.x < parts &&
      work.First(first + threadIdx.x) < work.First(first + threadIdx.x + 1)) {
    const int32_t* const ready = args.ready + first + threadIdx.x;
    int32_t value = 0;
    do {
      asm volatile("ld.acquire.gpu.global.s32 %0, [%1];" : "=r"(value) : "l"(ready) : "memory");
    } while (value == 0);
  }
  SyncConsumers();
#pragma unroll 2
  for (int part = 0; part < parts; ++part) {
    const int block = first + part;
    if (work.First(block) == work.First(block + 1)) {
      continue;
    }
    const float* const from = args.partial + int64_t{block} * kStreamPartial + threadIdx.x;
#pragma unroll
    for (int i = 0; i < kN / 2; ++i) {
      sums[i] += __ldcg(from + i * kConsumers);
    }
  }
  SyncConsumers();
  if (threadIdx.x < parts) {
    args.ready[first + threadIdx.x] = 0;
  }
}

__device__ __forceinline__ float BiasOf(const StreamArgs& args, int column) {
  return args.bias == nullptr ? 0.f : __bfloat162float(args.bias[column]);
}

template <int kN, ProductOutput kOutput>
__device__ void Put(const StreamArgs& args, int tile, const float (&sums)[kN / 2]) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const int column = tile * kTileRows + threadIdx.x / 32 * 16 + lane / 4 + 8 * i;
    if (column >= args.out) {
      continue;
    }
    const float bias = BiasOf(args, column);
#pragma unroll
    for (int j = 0; j < kN / 8; ++j) {
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        const int row = 8 * j + lane % 4 * 2 + c;
        if (row >= args.rows) {
          continue;
        }
        float sum = sums[4 * j + 2 * i + c] + bias;
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
    }
  }
}

// A thread's rows of a tile are a gate's and the one that it gates.
template <int kN>
__device__ void PutGated(const StreamArgs& args, int tile, const float (&sums)[kN / 2]) {
  const int lane = threadIdx.x % 32;
  const int half = args.out / 2;
  const int column = tile * (kTileRows / 2) + threadIdx.x / 32 * 8 + lane / 4;
  if (column >= half) {
    return;
  }
  const float gate_bias = BiasOf(args, column);
  const float up_bias = BiasOf(args, half + column);
#pragma unroll
  for (int j = 0; j < kN / 8; ++j) {
#pragma unroll
    for (int c = 0; c < 2; ++c) {
      const int row = 8 * j + lane % 4 * 2 + c;
      if (row < args.rows) {
        const float gate = sums[4 * j + c] + gate_bias;
        const float up = sums[4 * j + 2 + c] + up_bias;
        static_cast<Bf16*>(args.y)[int64_t{row} * half + column] =
            __float2bfloat16_rn(gate / (1 + __expf(-gate)) * up);
      }
    }
  }
}

template <int kN, ProductOutput kOutput>
__device__ void Consume(const StreamArgs& args, const Work& work, const Ring<kN>& ring) {
  constexpr int kStages = Sizes<kN>::kStages;
  const int warpgroup = threadIdx.x / 128;
  const int first = work.First(blockIdx.x);
  int at = work.First(blockIdx.x + 1);
  int count = 0;
  Segment segment;
  while (NextSegment(work, first, &at, &segment)) {
    float sums[kN / 2];
#pragma unroll
    for (float& sum : sums) {
      sum = 0;
    }
    for (int unit = segment.begin; unit < segment.end; ++unit) {
      const int stage = count % kStages;
      WaitFor(&ring.full[stage], count / kStages % 2);
      const uint32_t data = ring.Stage(stage);
      const uint64_t a = DescribeTile(data + warpgroup * (kTileBytes / 2));
      const uint64_t b = DescribeTile(data + kTileBytes);
      BeginWarpgroup();
#pragma unroll
      for (int k = 0; k < kTileK / 16; ++k) {
        // 16 columns are 32 bytes, in a descriptor's units of 16.
        MultiplyWarpgroup<kN>(sums, a + 2 * k, b + 2 * k, /*adds=*/1);
      }
      CommitWarpgroup();
      WaitForWarpgroup<0>();
      if (threadIdx.x % 128 == 0) {
        Arrive(&ring.empty[stage]);
      }
      ++count;
    }
    if (segment.end < work.units_per_tile) {
      GivePart<kN>(args, sums);
      continue;
    }
    if (segment.begin > 0) {
      TakeParts<kN>(args, work, segment.tile, sums);
    }
    if constexpr (kOutput == ProductOutput::kGated) {
      PutGated<kN>(args, segment.tile, sums);
    } else {
      Put<kN, kOutput>(args, segment.tile, sums);
    }
  }
}

template <int kN, ProductOutput kOutput>
__global__ void __launch_bounds__(kThreads, 2)
    StreamProduct(const __grid_constant__ CUtensorMap weight, const __grid_constant__ CUtensorMap x,
                  const StreamArgs args) {
  constexpr int kStages = Sizes<kN>::kStages;
  extern __shared__ uint8_t raw[];
  __shared__ uint64_t full[kStages];
  __shared__ uint64_t empty[kStages];
  // The swizzle counts from multiples of 1,024 bytes.
  uint8_t* const data = raw + (1024 - Shared(raw) % 1024) % 1024;
  if (threadIdx.x == kConsumers) {
    asm volatile("prefetch.tensormap [%0];" ::"l"(&weight) : "memory");
    asm volatile("prefetch.tensormap [%0];" ::"l"(&x) : "memory");
  }
  if (threadIdx.x == 0) {
    for (int stage = 0; stage < kStages; ++stage) {
      InitBarrier(&full[stage], 1);
      InitBarrier(&empty[stage], 2);
    }
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  }
  __syncthreads();
  const int tile_outputs = kOutput == ProductOutput::kGated ? kTileRows / 2 : kTileRows;
  const int outputs = kOutput == ProductOutput::kGated ? args.out / 2 : args.out;
  Work work;
  work.units_per_tile = (args.in + kTileK - 1) / kTileK;
  work.total = (outputs + tile_outputs - 1) / tile_outputs * work.units_per_tile;
  work.blocks = gridDim.x;
  const Ring<kN> ring = {.data = data, .full = full, .empty = empty};
  if (threadIdx.x >= kConsumers) {
    if (threadIdx.x == kConsumers) {
      Produce<kN>(&weight, &x, args, work, ring);
    }
    return;
  }
  WaitForBefore();
  Consume<kN, kOutput>(args, work, ring);
}

template <int kN, ProductOutput kOutput>
cudaError_t Launch(const CUtensorMap& weight, const CUtensorMap& x, const StreamArgs& args,
                   int multiprocessors, cudaStream_t stream) {
  const auto kernel = StreamProduct<kN, kOutput>;
  if (const cudaError_t error =
          cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kSharedBytes);
      error != cudaSuccess) {
    return error;
  }
  return LaunchBehind(kernel, dim3(multiprocessors), dim3(kThreads), kSharedBytes, stream, weight,
                      x, args);
}

template <ProductOutput kOutput>
cudaError_t Launch(const CUtensorMap& weight, const CUtensorMap& x, const StreamArgs& args,
                   int multiprocessors, cudaStream_t stream) {
  switch (StreamBoxRows(args.rows)) {
    case 8:
      return Launch<8, kOutput>(weight, x, args, multiprocessors, stream);
    case 16:
      return Launch<16, kOutput>(weight, x, args, multiprocessors, stream);
    case 32:
      return Launch<32, kOutput>(weight, x, args, multiprocessors, stream);
    default:
      return Launch<64, kOutput>(weight, x, args, multiprocessors, stream);
  }
}

}  // namespace

int StreamBoxRows(int rows) {
  int box = 8;
  while (box < rows) {
    box *= 2;
  }
  return box;
}

CUtensorMap MapStreamWeight(const Bf16* weight, int64_t out, int64_t in, bool gated) {
  return gated ? MapGated(weight, out, in, kTileRows) : MapMatrix(weight, out, in, kTileRows);
}

CUtensorMap MapStreamX(const Bf16* x, int64_t capacity, int64_t in, int box_rows) {
  return MapMatrix(x, capacity, in, box_rows);
}

cudaError_t LaunchStreamProduct(const CUtensorMap& weight, const CUtensorMap& x,
                                const StreamArgs& args, int multiprocessors, cudaStream_t stream) {
  switch (args.output) {
    case ProductOutput::kBf16:
      return Launch<ProductOutput::kBf16>(weight, x, args, multiprocessors, stream);
    case ProductOutput::kAdd:
      return Launch<ProductOutput::kAdd>(weight, x, args, multiprocessors, stream);
    case ProductOutput::kFloat:
      return Launch<ProductOutput::kFloat>(weight, x, args, multiprocessors, stream);
    case ProductOutput::kGated:
      return Launch<ProductOutput::kGated>(weight, x, args, multiprocessors, stream);
  }
  return cudaErrorInvalidValue;
}

}  // namespace terminus::models::decoder::cuda
