#include "models/cuda/launch.cuh"
#include "models/cuda/sampling/block_select.cuh"
#include "models/cuda/sampling/row_draw.cuh"
#include "models/cuda/sampling/row_logprobs.cuh"
#include "models/cuda/sampling/row_view.cuh"
#include "models/cuda/sampling/sample_rows.h"

namespace terminus::models::cuda {
namespace {

__device__ RowView ViewOf(const SamplerState& state, const TerminusSamplingCall& call,
                          const TerminusSamplingRow& row, const sampling::SlotSampling& sampling) {
  const int32_t words = (state.vocab_size + 31) / 32;
  const bool first = row.length == sampling.prompt_length;
  const bool too_short = row.length < sampling.end_from;
  return {call.logits + row.row * call.row_stride,
          state.vocab_size,
          HasMarks(sampling) ? state.marks + row.slot * state.mark_stride : nullptr,
          row.mask >= 0 ? call.masks + int64_t{row.mask} * words : nullptr,
          state.rules + int64_t{row.slot} * sampling::kMaxTokenRules,
          sampling.rules,
          sampling::kBanAlways | (first ? sampling::kBanFirst : 0u) |
              (too_short ? sampling::kBanEnd : 0u),
          sampling.repetition_penalty,
          sampling.frequency_penalty,
          sampling.presence_penalty};
}

// What one look at every logit of a row tells.
struct Survey {
  bool finite;
  uint32_t thread_key;  // The greatest key of this thread's share; 0 where it has none.
  uint32_t key;         // The greatest of all, and the lowest token that has it.
  int32_t token;
};

__device__ Survey Look(const RowView& view, SelectScratch& scratch) {
  bool bad = false;
  uint32_t key = 0;
  int32_t token = 0;
  view.ForRange(static_cast<int32_t>(threadIdx.x), view.vocab_size, kSampleThreads,
                [&](float logit, uint32_t found, int32_t at) {
                  bad = bad || !sampling::IsFinite(logit);
                  if (found > key) {
                    key = found;
                    token = at;
                  }
                });
  const bool finite = __syncthreads_or(bad ? 1 : 0) == 0;
  const uint64_t best = LargestOfAll(
      uint64_t{key} << 32 | (0xFFFFFFFFu - static_cast<uint32_t>(token)), scratch.warps);
  return {finite, key, static_cast<uint32_t>(best >> 32),
          static_cast<int32_t>(0xFFFFFFFFu - static_cast<uint32_t>(best))};
}

__device__ uint32_t FlagsOf(const Survey& survey, bool draws) {
  if (!survey.finite) {
    return TERMINUS_SAMPLING_NOT_FINITE;
  }
  const uint32_t infinite = sampling::KeyOf(-kBannedLogit);
  const bool none = survey.key <= sampling::KeyOf(kBannedLogit) ||
                    survey.key == sampling::kNanKey || (draws && survey.key == infinite);
  return none ? TERMINUS_SAMPLING_NO_TOKEN : 0u;
}

// The next step's penalties count the token.
__device__ void CountToken(const SamplerState& state, int32_t slot, int32_t token) {
  uint16_t& mark = state.marks[slot * state.mark_stride + token];
  const uint32_t before = mark;
  const uint32_t more = (before & kCountBits) < kCountBits ? 1 : 0;
  mark = static_cast<uint16_t>((before | kSeen) + more);
}

__global__ void __launch_bounds__(kSampleThreads, 2)
    SampleRows(SamplerState state, TerminusSamplingCall call) {
  __shared__ RowScratch scratch;
  WaitForBefore();
  const TerminusSamplingRow row = call.rows[blockIdx.x];
  if (row.slot < 0) {
    return;
  }
  const sampling::SlotSampling sampling = state.sampling[row.slot];
  const RowView view = ViewOf(state, call, row, sampling);
  const Survey survey = Look(view, scratch.select);
  const bool draws = sampling.temperature > 0;
  TerminusSamplingResult result = {0, FlagsOf(survey, draws), 0.0f, 0};
  if (result.flags == 0) {
    result.token = draws ? DrawToken(view, sampling, static_cast<uint64_t>(row.length),
                                     survey.thread_key, survey.key, scratch)
                         : survey.token;
    if (sampling.top_logprobs >= 0) {
      TerminusTopLogprob* const top =
          call.top == nullptr ? nullptr
                              : call.top + int64_t{blockIdx.x} * TERMINUS_MAX_TOP_LOGPROBS;
      AddLogprobs(view, sampling.top_logprobs, top, result, scratch);
    }
  }
  if (threadIdx.x == 0) {
    call.results[blockIdx.x] = result;
    state.last_tokens[row.slot] = result.token;
    if (result.flags == 0 && LooksBack(sampling)) {
      CountToken(state, row.slot, result.token);
    }
  }
}

}  // namespace

cudaError_t LaunchSampleRows(const SamplerState& state, const TerminusSamplingCall& call,
                             cudaStream_t stream) {
  return LaunchBehind(SampleRows, static_cast<unsigned>(call.row_count), kSampleThreads, 0, stream,
                      state, call);
}

}  // namespace terminus::models::cuda
