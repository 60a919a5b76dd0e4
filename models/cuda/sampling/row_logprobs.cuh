#pragma once

#include <cstdint>

#include "models/cuda/sampling/block_select.cuh"
#include "models/cuda/sampling/row_draw.cuh"
#include "models/cuda/sampling/row_view.cuh"

// The logarithms of the model's own probabilities, before anything changes them.
namespace terminus::models::cuda {

// Copies the `count` likeliest tokens to scratch.top, equal ones by id, in no order.
template <class Source>
__device__ __forceinline__ void FindTop(const Source& source, uint32_t count, RowScratch& scratch) {
  const Selected selected = Select<3>(source, KeyRank{}, CountEach{}, Goal{count}, scratch.select);
  const uint64_t needed = count - selected.above;
  const Selected tie = Select<2>(
      source, [](uint32_t, int32_t token) { return LowerIdRank(token); },
      [&](uint32_t key, int32_t) -> uint64_t { return key == selected.rank ? 1 : 0; }, Goal{needed},
      scratch.select);
  const int32_t last = TokenOfLowerIdRank(tie.rank);
  if (threadIdx.x == 0) {
    scratch.top_count = 0;
  }
  __syncthreads();
  source.ForEach([&](uint32_t key, int32_t token) {
    if (key > selected.rank || (key == selected.rank && token <= last)) {
      const int32_t at = atomicAdd(&scratch.top_count, 1);
      if (at < TERMINUS_MAX_TOP_LOGPROBS) {
        scratch.top[at] = {token, sampling::LogitOf(key)};
      }
    }
  });
  __syncthreads();
}

// By one thread: likeliest first, equal ones by id.
__device__ __forceinline__ void SortTop(TerminusTopLogprob* top, int32_t count) {
  for (int32_t i = 1; i < count; ++i) {
    const TerminusTopLogprob moved = top[i];
    int32_t at = i;
    for (; at > 0; --at) {
      const TerminusTopLogprob& before = top[at - 1];
      if (before.logprob > moved.logprob ||
          (before.logprob == moved.logprob && before.token < moved.token)) {
        break;
      }
      top[at] = before;
    }
    top[at] = moved;
  }
}

// The chosen token's, into `result`, and those of the `count` likeliest into `top`, if it is not
// null. Requires: the row's logits are finite.
__device__ __forceinline__ void AddLogprobs(RowView view, int32_t count, TerminusTopLogprob* top,
                                            TerminusSamplingResult& result, RowScratch& scratch) {
  view.marks = nullptr;
  view.mask = nullptr;
  uint32_t thread_key = 0;
  view.ForEach([&](uint32_t key, int32_t) { thread_key = max(thread_key, key); });
  const float largest =
      sampling::LogitOf(static_cast<uint32_t>(LargestOfAll(thread_key, scratch.select.warps)));
  const double scale = sampling::WeightScale(1.0f);
  uint64_t own = 0;
  view.ForEach([&](uint32_t key, int32_t) {
    own += sampling::Weight(sampling::LogitOf(key), largest, scale);
  });
  const double log_sum = sampling::LogOfSum(SumOfAll(own, scratch.select.warps), largest);
  const auto logprob = [&](float logit) { return static_cast<float>(logit - log_sum); };
  result.logprob = logprob(view.logits[result.token]);
  const int32_t wanted = min(count, view.vocab_size);
  if (top == nullptr || wanted == 0) {
    return;
  }
  if (GatherTop(view, static_cast<uint32_t>(wanted), thread_key, scratch)) {
    FindTop(scratch.buffer, static_cast<uint32_t>(wanted), scratch);
  } else {
    FindTop(view, static_cast<uint32_t>(wanted), scratch);
  }
  result.top = wanted;
  if (threadIdx.x == 0) {
    SortTop(scratch.top, wanted);
    for (int32_t i = 0; i < wanted; ++i) {
      top[i] = {scratch.top[i].token, logprob(scratch.top[i].logprob)};
    }
  }
}

}  // namespace terminus::models::cuda
