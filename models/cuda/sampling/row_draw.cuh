#pragma once

#include <cstdint>

#include "models/cuda/sampling/block_select.cuh"
#include "models/cuda/sampling/row_view.cuh"

// The draw of one row's token by a block; sampling/arithmetic.h has the rules.
namespace terminus::models::cuda {

// Few enough for shared memory, and enough for the candidates of a usual top-k.
inline constexpr int kBufferSize = 2048;
// Up to this k, the candidates are found by the threads' own maxima.
inline constexpr uint32_t kMaxBoundedK = 384;
static_assert(kMaxBoundedK < kSampleThreads, "");

// Candidates apart from their row, in no order.
struct CandidateBuffer {
  uint32_t keys[kBufferSize];
  int32_t tokens[kBufferSize];
  int32_t count;

  template <class Visit>
  __device__ __forceinline__ void ForEach(const Visit& visit) const {
    for (auto i = static_cast<int32_t>(threadIdx.x); i < count; i += kSampleThreads) {
      visit(keys[i], tokens[i]);
    }
  }
};

struct RowScratch {
  SelectScratch select;
  CandidateBuffer buffer;
  TerminusTopLogprob top[TERMINUS_MAX_TOP_LOGPROBS];
  int32_t top_count;
  int32_t token;
};

// A candidate for each thread: the greatest key of its share.
struct ThreadMaxima {
  uint32_t key;

  template <class Visit>
  __device__ __forceinline__ void ForEach(const Visit& visit) const {
    visit(key, 0);
  }
};

struct KeyRank {
  __device__ uint32_t operator()(uint32_t key, int32_t) const { return key; }
};

struct CountEach {
  __device__ uint64_t operator()(uint32_t, int32_t) const { return 1; }
};

struct Goal {
  uint64_t goal;
  __device__ uint64_t operator()(uint64_t) const { return goal; }
};

// Copies at least the k likeliest tokens into the buffer. `thread_key` is the greatest key of the
// thread's share of the row. The k-th largest of the threads' maxima is not above the k-th largest
// key, as each maximum is the key of another token. False where the tokens from there on are too
// many, such as equal ones.
// Requires: k <= kMaxBoundedK, and k is at most the number of tokens.
__device__ __forceinline__ bool GatherTop(const RowView& view, uint32_t k, uint32_t thread_key,
                                          RowScratch& scratch) {
  const uint32_t least =
      Select<3>(ThreadMaxima{thread_key}, KeyRank{}, CountEach{}, Goal{k}, scratch.select).rank;
  CandidateBuffer& buffer = scratch.buffer;
  if (threadIdx.x == 0) {
    buffer.count = 0;
  }
  __syncthreads();
  view.ForEach([&](uint32_t key, int32_t token) {
    if (key >= least) {
      const int32_t at = atomicAdd(&buffer.count, 1);
      if (at < kBufferSize) {
        buffer.keys[at] = key;
        buffer.tokens[at] = token;
      }
    }
  });
  __syncthreads();
  return buffer.count <= kBufferSize;
}

// Which tokens a draw is among, and their weights.
struct Kept {
  float largest;
  double scale;
  uint32_t key;     // Keys below this are out.
  int32_t tie;      // Of tokens with this very key, those below this id are out too.
  uint64_t weight;  // And all tokens of a lower weight.

  __device__ uint64_t WeightOf(uint32_t candidate, int32_t token) const {
    if (candidate < key || (candidate == key && token < tie)) {
      return 0;
    }
    const uint64_t full = sampling::Weight(sampling::LogitOf(candidate), largest, scale);
    return full >= weight ? full : 0;
  }
};

template <class Source>
__device__ __forceinline__ void KeepTopP(const Source& source, float top_p, Kept& kept,
                                         SelectScratch& scratch) {
  const Selected selected = Select<3>(
      source, KeyRank{}, [&](uint32_t key, int32_t token) { return kept.WeightOf(key, token); },
      [&](uint64_t total) { return sampling::ShareOf(top_p, total); }, scratch);
  kept.key = selected.rank;
  // Of tokens with this key, as many as the share needs; the higher ids stay.
  const uint64_t each = kept.WeightOf(kept.key, 0);
  const uint64_t needed = (selected.goal - selected.above + each - 1) / each;
  if (needed * each == selected.inside) {
    return;
  }
  const Selected tie = Select<2>(
      source, [](uint32_t, int32_t token) { return HigherIdRank(token); },
      [&](uint32_t key, int32_t) -> uint64_t { return key == kept.key ? 1 : 0; }, Goal{needed},
      scratch);
  kept.tie = TokenOfHigherIdRank(tie.rank);
}

// The first token, by id, at which the sum of the kept weights exceeds the target.
__device__ __forceinline__ int32_t DrawFrom(const CandidateBuffer& buffer, const Kept& kept,
                                            uint64_t random_bits, RowScratch& scratch) {
  const Selected selected = Select<2>(
      buffer, [](uint32_t, int32_t token) { return LowerIdRank(token); },
      [&](uint32_t key, int32_t token) { return kept.WeightOf(key, token); },
      [&](uint64_t total) { return sampling::DrawTarget(random_bits, total) + 1; }, scratch.select);
  return TokenOfLowerIdRank(selected.rank);
}

// The same from the whole row: each warp sums a chunk, then all threads look through the chunk in
// which the target lies.
__device__ __forceinline__ int32_t DrawFrom(const RowView& view, const Kept& kept,
                                            uint64_t random_bits, RowScratch& scratch) {
  const auto lane = static_cast<int32_t>(threadIdx.x % 32);
  const auto warp = static_cast<int32_t>(threadIdx.x / 32);
  const int32_t chunk = (view.vocab_size + kSampleWarps - 1) / kSampleWarps;
  uint64_t own = 0;
  view.ForRange(warp * chunk + lane, min((warp + 1) * chunk, view.vocab_size), 32,
                [&](float, uint32_t key, int32_t token) { own += kept.WeightOf(key, token); });
  // The sum up to and with each warp's chunk.
  const uint64_t through = InclusiveSum(own, scratch.select.warps);
  if (lane == 31) {
    scratch.select.warps[warp] = through;
  }
  __syncthreads();
  const uint64_t target = sampling::DrawTarget(random_bits, scratch.select.warps[kSampleWarps - 1]);
  int32_t hit = 0;
  while (scratch.select.warps[hit] <= target) {
    ++hit;
  }
  const uint64_t before = hit == 0 ? 0 : scratch.select.warps[hit - 1];
  __syncthreads();

  const int32_t end = min((hit + 1) * chunk, view.vocab_size);
  const int32_t each = (chunk + kSampleThreads - 1) / kSampleThreads;
  const int32_t first = hit * chunk + static_cast<int32_t>(threadIdx.x) * each;
  own = 0;
  for (int32_t token = first; token < min(first + each, end); ++token) {
    own += kept.WeightOf(view.KeyAt(token), token);
  }
  uint64_t sum = before + InclusiveSum(own, scratch.select.warps) - own;
  if (sum <= target && target < sum + own) {
    int32_t token = first;
    for (sum += kept.WeightOf(view.KeyAt(token), token); sum <= target;
         sum += kept.WeightOf(view.KeyAt(token), token)) {
      ++token;
    }
    scratch.token = token;
  }
  __syncthreads();
  return scratch.token;
}

template <class Source>
__device__ __forceinline__ int32_t DrawAmong(const Source& source,
                                             const sampling::SlotSampling& sampling, bool cuts,
                                             uint64_t random_bits, Kept& kept,
                                             RowScratch& scratch) {
  if (cuts) {
    kept.key = Select<3>(source, KeyRank{}, CountEach{}, Goal{sampling.top_k}, scratch.select).rank;
  }
  if (sampling.top_p < 1) {
    KeepTopP(source, sampling.top_p, kept, scratch.select);
  }
  if (sampling.min_p > 0) {
    kept.weight = sampling::LeastWeight(sampling.min_p);
  }
  return DrawFrom(source, kept, random_bits, scratch);
}

// Requires: the greatest key of the row is that of a finite logit, and temperature is above 0.
__device__ __forceinline__ int32_t DrawToken(const RowView& view,
                                             const sampling::SlotSampling& sampling,
                                             uint64_t position, uint32_t thread_key,
                                             uint32_t largest_key, RowScratch& scratch) {
  const uint64_t random_bits = sampling::UniformBits(sampling.seed, sampling.choice, position);
  Kept kept = {sampling::LogitOf(largest_key), sampling::WeightScale(sampling.temperature), 0, 0,
               0};
  const uint32_t k = sampling.top_k;
  const bool cuts = k > 0 && k < static_cast<uint32_t>(view.vocab_size);
  if (cuts && k <= kMaxBoundedK && GatherTop(view, k, thread_key, scratch)) {
    return DrawAmong(scratch.buffer, sampling, cuts, random_bits, kept, scratch);
  }
  return DrawAmong(view, sampling, cuts, random_bits, kept, scratch);
}

}  // namespace terminus::models::cuda
