#pragma once

#include <cstdint>

#include "models/sampling/arithmetic.h"

// Sums and selections by all threads of a block together. Every function here is called by all of
// them, and returns the same to each.
namespace terminus::models::cuda {

inline constexpr int kSampleThreads = 512;
inline constexpr int kSampleWarps = kSampleThreads / 32;
inline constexpr uint32_t kAllLanes = 0xFFFFFFFF;

inline constexpr int kDigitBits = 11;
inline constexpr int kBins = 1 << kDigitBits;

struct SelectScratch {
  // Of each bin, the sum's lower and upper halves: shared memory adds 32 bits at once.
  uint32_t low[kBins];
  uint32_t high[kBins];
  uint64_t warps[kSampleWarps];
  uint64_t total;
  uint64_t above;
  uint64_t inside;
  uint32_t bin;
};

// The sum of the values of this thread and of those before it.
__device__ __forceinline__ uint64_t InclusiveSum(uint64_t value, uint64_t* warps) {
  const unsigned lane = threadIdx.x % 32;
  const unsigned warp = threadIdx.x / 32;
#pragma unroll
  for (unsigned step = 1; step < 32; step *= 2) {
    const uint64_t before = __shfl_up_sync(kAllLanes, value, step);
    value += lane >= step ? before : 0;
  }
  if (lane == 31) {
    warps[warp] = value;
  }
  __syncthreads();
  for (unsigned i = 0; i < warp; ++i) {
    value += warps[i];
  }
  __syncthreads();
  return value;
}

__device__ __forceinline__ uint64_t SumOfAll(uint64_t value, uint64_t* warps) {
#pragma unroll
  for (unsigned step = 16; step > 0; step /= 2) {
    value += __shfl_xor_sync(kAllLanes, value, step);
  }
  if (threadIdx.x % 32 == 0) {
    warps[threadIdx.x / 32] = value;
  }
  __syncthreads();
  uint64_t sum = 0;
#pragma unroll
  for (int i = 0; i < kSampleWarps; ++i) {
    sum += warps[i];
  }
  __syncthreads();
  return sum;
}

__device__ __forceinline__ uint64_t LargestOfWarp(uint64_t value) {
#pragma unroll
  for (unsigned step = 16; step > 0; step /= 2) {
    const uint64_t other = __shfl_xor_sync(kAllLanes, value, step);
    value = other > value ? other : value;
  }
  return value;
}

__device__ __forceinline__ uint64_t LargestOfAll(uint64_t value, uint64_t* warps) {
  value = LargestOfWarp(value);
  if (threadIdx.x % 32 == 0) {
    warps[threadIdx.x / 32] = value;
  }
  __syncthreads();
  uint64_t largest = warps[0];
#pragma unroll
  for (int i = 1; i < kSampleWarps; ++i) {
    largest = warps[i] > largest ? warps[i] : largest;
  }
  __syncthreads();
  return largest;
}

__device__ __forceinline__ void AddToBin(uint32_t bin, uint64_t weight, SelectScratch& scratch) {
  const auto low = static_cast<uint32_t>(weight);
  const uint32_t before = atomicAdd(&scratch.low[bin], low);
  const uint32_t carry = before + low < before ? 1 : 0;
  const uint32_t high = static_cast<uint32_t>(weight >> 32) + carry;
  if (high != 0) {
    atomicAdd(&scratch.high[bin], high);
  }
}

// What Select found.
struct Selected {
  uint32_t rank;
  uint64_t goal;
  uint64_t above;   // The weight of all greater ranks.
  uint64_t inside;  // The weight of this rank.
};

// Finds the bin, from the top, in which the sum from the top reaches the goal. `above` is the sum
// before the first bin. The goal of the first level is known once the total is.
template <class GoalOf>
__device__ __forceinline__ void FindBin(bool first_level, const GoalOf& goal_of, Selected& selected,
                                        SelectScratch& scratch) {
  constexpr int kBinsOfThread = kBins / kSampleThreads;
  const int top = kBins - 1 - static_cast<int>(threadIdx.x) * kBinsOfThread;
  uint64_t weights[kBinsOfThread];
  uint64_t own = 0;
#pragma unroll
  for (int i = 0; i < kBinsOfThread; ++i) {
    weights[i] = uint64_t{scratch.high[top - i]} << 32 | scratch.low[top - i];
    own += weights[i];
  }
  uint64_t sum = InclusiveSum(own, scratch.warps);
  if (first_level) {
    if (threadIdx.x == kSampleThreads - 1) {
      scratch.total = sum;
    }
    __syncthreads();
    selected.goal = goal_of(scratch.total);
  }
  sum += selected.above - own;
#pragma unroll
  for (int i = 0; i < kBinsOfThread; ++i) {
    if (sum < selected.goal && selected.goal <= sum + weights[i]) {
      scratch.bin = static_cast<uint32_t>(top - i);
      scratch.above = sum;
      scratch.inside = weights[i];
    }
    sum += weights[i];
  }
  __syncthreads();
}

// The greatest rank at which the weights of this rank and of all greater ones reach a goal.
// source.ForEach(f) calls f(key, token) for a thread's share of the candidates; rank_of(key, token)
// has meaning in its highest kLevels · 11 bits; goal_of(sum of all weights) is above 0 and at most
// that sum. Sorts nothing: a histogram of the ranks' highest digits tells in which bin the goal
// lies, then one of the next digits of that bin, and so on.
template <int kLevels, class Source, class RankOf, class WeightOf, class GoalOf>
__device__ __forceinline__ Selected Select(const Source& source, const RankOf& rank_of,
                                           const WeightOf& weight_of, const GoalOf& goal_of,
                                           SelectScratch& scratch) {
  Selected selected = {};
#pragma unroll 1
  for (int level = 0; level < kLevels; ++level) {
    // The lowest digit has 10 bits.
    const int end = 32 - level * kDigitBits;
    const int begin = end > kDigitBits ? end - kDigitBits : 0;
    for (int bin = static_cast<int>(threadIdx.x); bin < kBins; bin += kSampleThreads) {
      scratch.low[bin] = 0;
      scratch.high[bin] = 0;
    }
    if (threadIdx.x == 0) {
      scratch.bin = 0;
      scratch.above = selected.above;
      scratch.inside = 0;
    }
    __syncthreads();
    source.ForEach([&](uint32_t key, int32_t token) {
      const uint32_t rank = rank_of(key, token);
      if (level == 0 || rank >> end == selected.rank >> end) {
        const uint64_t weight = weight_of(key, token);
        if (weight != 0) {
          AddToBin(rank >> begin & ((1u << (end - begin)) - 1), weight, scratch);
        }
      }
    });
    __syncthreads();
    FindBin(level == 0, goal_of, selected, scratch);
    selected.rank |= scratch.bin << begin;
    selected.above = scratch.above;
    selected.inside = scratch.inside;
    // The next level, or the next selection, clears what is read here.
    __syncthreads();
  }
  return selected;
}

// Ranks of tokens, for Select with two levels: those that prefer higher and lower ids.
inline constexpr int kIdShift = 13;
static_assert(sampling::kMaxVocabulary <= int64_t{1} << (32 - kIdShift), "");

__device__ __forceinline__ uint32_t HigherIdRank(int32_t token) {
  return static_cast<uint32_t>(token) << kIdShift;
}
__device__ __forceinline__ uint32_t LowerIdRank(int32_t token) {
  return (static_cast<uint32_t>(sampling::kMaxVocabulary) - 1 - static_cast<uint32_t>(token))
         << kIdShift;
}
__device__ __forceinline__ int32_t TokenOfHigherIdRank(uint32_t rank) {
  return static_cast<int32_t>(rank >> kIdShift);
}
__device__ __forceinline__ int32_t TokenOfLowerIdRank(uint32_t rank) {
  return static_cast<int32_t>(sampling::kMaxVocabulary - 1 - (rank >> kIdShift));
}

}  // namespace terminus::models::cuda
