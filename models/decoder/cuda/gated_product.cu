#include <algorithm>

#include "models/cuda/launch.cuh"
#include "models/decoder/cuda/bulk_copy.cuh"
#include "models/decoder/cuda/gated_product.h"
#include "models/decoder/cuda/tensor_map.h"
#include "models/decoder/cuda/warpgroup.cuh"

namespace terminus::models::decoder::cuda {
namespace {

using models::cuda::LaunchBehind;
using models::cuda::LetNextStart;
using models::cuda::WaitForBefore;

constexpr int kTileK = kMapColumns;
constexpr int kConsumers = 256;  // Two warpgroups, of 64 rows each.
constexpr int kThreads = kConsumers + 32;
constexpr int kXBytes = kGatedRows * kTileK * 2;
constexpr int kSharedBytes = 222 << 10;
// Pairs of row tiles that are computed next to each other, so that they share weights in the cache.
constexpr int kGroup = 8;

template <int kN>
struct Sizes {
  static constexpr int kHalfBytes = kN / 2 * kTileK * 2;
  static constexpr int kStageBytes = kXBytes + 2 * kHalfBytes;
  static constexpr int kStages = (kSharedBytes - 1024) / kStageBytes;
};

// The order of the tiles. A pair of thread blocks takes every so manieth.
struct Tiles {
  int row_pairs;
  int columns;

  __host__ __device__ int count() const { return row_pairs * columns; }
  __device__ void Find(int tile, int* row_pair, int* column) const {
    const int first = tile / (kGroup * columns) * kGroup;
    const int size = min(kGroup, row_pairs - first);
    const int at = tile - first * columns;
    *row_pair = first + at % size;
    *column = at / size;
  }
};

template <int kN>
__host__ __device__ Tiles TilesOf(const GatedArgs& args) {
  return {.row_pairs = (args.rows + 2 * kGatedRows - 1) / (2 * kGatedRows),
          .columns = (args.out + kN - 1) / kN};
}

template <int kN>
struct Ring {
  uint8_t* data;
  uint64_t* full;
  uint64_t* empty;

  __device__ uint32_t X(int stage) const { return Shared(data) + stage * Sizes<kN>::kStageBytes; }
  __device__ uint32_t Weight(int stage) const { return X(stage) + kXBytes; }
};

__device__ __forceinline__ int RankInPair() {
  uint32_t rank;
  asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return static_cast<int>(rank);
}
__device__ __forceinline__ void SyncPair() {
  asm volatile(
      "barrier.cluster.arrive.release.aligned;\n"
      "barrier.cluster.wait.acquire.aligned;" ::
          : "memory");
}

// Has all tiles copied, in the order of the consumers.
template <int kN>
__device__ void Produce(const CUtensorMap* weight, const CUtensorMap* x, const GatedArgs& args,
                        const Tiles& tiles, const Ring<kN>& ring) {
  using S = Sizes<kN>;
  const int rank = RankInPair();
  const int units = (args.in + kTileK - 1) / kTileK;
  const int pairs = gridDim.x / 2;
  // For both thread blocks, rank 0 copies the gates and rank 1 what they gate.
  const int first_row = rank * (args.out / 2);
  const auto copy_weight = [&](int stage, int column, int unit) {
    ArriveExpecting(&ring.full[stage], S::kStageBytes);
    CopyBoxToCluster(weight, ring.Weight(stage) + rank * S::kHalfBytes, &ring.full[stage],
                     unit * kTileK, first_row + column * (kN / 2), /*ranks=*/3);
  };
  int row_pair = 0;
  int column = 0;
  // Weights do not depend on the kernel before; x does.
  int begun = 0;
  for (int tile = blockIdx.x / 2; tile < tiles.count() && begun < S::kStages; tile += pairs) {
    tiles.Find(tile, &row_pair, &column);
    for (int unit = 0; unit < units && begun < S::kStages; ++unit) {
      copy_weight(begun++, column, unit);
    }
  }
  WaitForBefore();
  int count = 0;
  for (int tile = blockIdx.x / 2; tile < tiles.count(); tile += pairs) {
    tiles.Find(tile, &row_pair, &column);
    const int row = (2 * row_pair + rank) * kGatedRows;
    for (int unit = 0; unit < units; ++unit) {
      const int stage = count % S::kStages;
      if (count >= S::kStages) {
        WaitFor(&ring.empty[stage], (count / S::kStages - 1) % 2);
        copy_weight(stage, column, unit);
      }
      CopyBox(x, ring.X(stage), &ring.full[stage], unit * kTileK, row);
      ++count;
    }
  }
}

// Says to both thread blocks of the pair that this warpgroup has read a stage.
__device__ __forceinline__ void Release(uint64_t* empty) {
  const int thread = threadIdx.x % 128;
  if (thread < 2) {
    ArriveInCluster(empty, thread);
  }
}

// A 4 x 4 transpose among four neighbouring threads: v[i] of thread j becomes v[j] of thread i.
__device__ __forceinline__ void Transpose(uint32_t (&v)[4]) {
  const bool odd = threadIdx.x % 2 != 0;
  const bool upper = threadIdx.x % 4 >= 2;
#pragma unroll
  for (int i = 0; i < 4; i += 2) {
    const uint32_t other = __shfl_xor_sync(0xffffffff, odd ? v[i] : v[i + 1], 1);
    (odd ? v[i] : v[i + 1]) = other;
  }
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const uint32_t other = __shfl_xor_sync(0xffffffff, upper ? v[i] : v[i + 2], 2);
    (upper ? v[i] : v[i + 2]) = other;
  }
}

__device__ __forceinline__ uint32_t Pack(float first, float second) {
  const __nv_bfloat162 both = __floats2bfloat162_rn(first, second);
  return *reinterpret_cast<const uint32_t*>(&both);
}
__device__ __forceinline__ float2 Unpack(uint32_t both) {
  return __bfloat1622float2(*reinterpret_cast<const __nv_bfloat162*>(&both));
}

// Adds the biases of a thread's columns to its sums: those of 8 j + 2 (thread % 4) from `first` on
// to the sums from 4 j on.
template <int kColumns>
__device__ void AddBias(const GatedArgs& args, int first, float* sums) {
#pragma unroll
  for (int j = 0; j < kColumns / 8; ++j) {
    const int column = first + 8 * j + threadIdx.x % 4 * 2;
    if (column < args.out) {
      const float2 bias = Unpack(*reinterpret_cast<const uint32_t*>(args.bias + column));
      sums[4 * j] += bias.x;
      sums[4 * j + 1] += bias.y;
      sums[4 * j + 2] += bias.x;
      sums[4 * j + 3] += bias.y;
    }
  }
}

__device__ __forceinline__ float Gate(float gate, float up) {
  return __fdividef(gate, 1 + __expf(-gate)) * up;
}

// Writes what a thread has of a tile: columns 8 j + 2 (thread % 4), and the next, of rows `row` and
// row + 8. Four threads swap theirs so that each writes 16 bytes.
template <int kN>
__device__ void Put(const GatedArgs& args, int row, int tile_column, float (&sums)[kN / 2]) {
  constexpr int kBlocks = kN / 16;  // Blocks of eight columns.
  const int half = args.out / 2;
  const int first = tile_column * (kN / 2);
  if (args.bias != nullptr) {
    AddBias<kN / 2>(args, first, sums);
    AddBias<kN / 2>(args, half + first, sums + kN / 4);
  }
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    Bf16* const y = args.y + int64_t{row + 8 * i} * half + first;
#pragma unroll
    for (int block = 0; block < kBlocks; block += 4) {
      uint32_t words[4] = {};
#pragma unroll
      for (int j = 0; j < 4 && block + j < kBlocks; ++j) {
        const int at = 4 * (block + j) + 2 * i;
        words[j] =
            Pack(Gate(sums[at], sums[kN / 4 + at]), Gate(sums[at + 1], sums[kN / 4 + at + 1]));
      }
      Transpose(words);
      const int own = block + threadIdx.x % 4;
      if (row + 8 * i < args.rows && own < kBlocks && first + 8 * own < half) {
        *reinterpret_cast<uint4*>(y + 8 * own) = *reinterpret_cast<const uint4*>(words);
      }
    }
  }
}

template <int kN>
__device__ void Consume(const GatedArgs& args, const Tiles& tiles, const Ring<kN>& ring) {
  constexpr int kStages = Sizes<kN>::kStages;
  const int warpgroup = threadIdx.x / 128;
  const int lane = threadIdx.x % 32;
  const int units = (args.in + kTileK - 1) / kTileK;
  int count = 0;
  for (int tile = blockIdx.x / 2; tile < tiles.count(); tile += gridDim.x / 2) {
    int row_pair = 0;
    int column = 0;
    tiles.Find(tile, &row_pair, &column);
    float sums[kN / 2];
    for (int unit = 0; unit < units; ++unit) {
      const int stage = count % kStages;
      WaitFor(&ring.full[stage], count / kStages % 2);
      const uint64_t a = DescribeTile(ring.X(stage) + warpgroup * (kXBytes / 2));
      const uint64_t b = DescribeTile(ring.Weight(stage));
      BeginWarpgroup();
#pragma unroll
      for (int k = 0; k < kTileK / 16; ++k) {
        // 16 columns are 32 bytes, in a descriptor's units of 16.
        MultiplyWarpgroup<kN>(sums, a + 2 * k, b + 2 * k, /*adds=*/unit > 0 || k > 0);
      }
      CommitWarpgroup();
      if (unit > 0) {
        WaitForWarpgroup<1>();
        Release(&ring.empty[(count - 1) % kStages]);
      }
      ++count;
    }
    WaitForWarpgroup<0>();
    Release(&ring.empty[(count - 1) % kStages]);
    const int row = (2 * row_pair + RankInPair()) * kGatedRows + threadIdx.x / 32 * 16 + lane / 4;
    Put<kN>(args, row, column, sums);
  }
}

template <int kN>
__global__ void __cluster_dims__(2, 1, 1) __launch_bounds__(kThreads, 1)
    GatedProduct(const __grid_constant__ CUtensorMap weight, const __grid_constant__ CUtensorMap x,
                 const GatedArgs args) {
  constexpr int kStages = Sizes<kN>::kStages;
  extern __shared__ uint8_t raw[];
  __shared__ uint64_t full[kStages];
  __shared__ uint64_t empty[kStages];
  // The swizzle counts from multiples of 1,024 bytes.
  uint8_t* const data = raw + (1024 - Shared(raw) % 1024) % 1024;
  if (threadIdx.x == 0) {
    for (int stage = 0; stage < kStages; ++stage) {
      InitBarrier(&full[stage], 1);
      // Both warpgroups of both thread blocks.
      InitBarrier(&empty[stage], 4);
    }
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  }
  SyncPair();
  LetNextStart();
  const Tiles tiles = TilesOf<kN>(args);
  const Ring<kN> ring = {.data = data, .full = full, .empty = empty};
  if (threadIdx.x >= kConsumers) {
    if (threadIdx.x == kConsumers) {
      Produce<kN>(&weight, &x, args, tiles, ring);
    }
    __syncwarp();
  } else {
    WaitForBefore();
    Consume<kN>(args, tiles, ring);
  }
  // The other thread block may still copy here, and arrive at barriers.
  SyncPair();
}

template <int kN>
cudaError_t Launch(const CUtensorMap& weight, const CUtensorMap& x, const GatedArgs& args,
                   int multiprocessors, cudaStream_t stream) {
  const auto kernel = GatedProduct<kN>;
  if (const cudaError_t error =
          cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kSharedBytes);
      error != cudaSuccess) {
    return error;
  }
  const int pairs = std::min(TilesOf<kN>(args).count(), multiprocessors / 2);
  return LaunchBehind(kernel, dim3(2 * pairs), dim3(kThreads), kSharedBytes, stream, weight, x,
                      args);
}

}  // namespace

cudaError_t LaunchGatedProduct(const CUtensorMap& weight, const CUtensorMap& x,
                               const GatedArgs& args, int width, int multiprocessors,
                               cudaStream_t stream) {
  switch (width) {
    case 224:
      return Launch<224>(weight, x, args, multiprocessors, stream);
    case 256:
      return Launch<256>(weight, x, args, multiprocessors, stream);
    default:
      return cudaErrorInvalidValue;
  }
}

}  // namespace terminus::models::decoder::cuda
