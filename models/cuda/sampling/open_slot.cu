#include "models/cuda/sampling/sample_rows.h"
#include "models/sampling/arithmetic.h"

namespace terminus::models::cuda {
namespace {

constexpr int kThreads = 1024;
constexpr uint32_t kAllLanes = 0xFFFFFFFF;

// Changes one mark by a function of the mark. Neighbours share a word of memory.
template <class Change>
__device__ void ChangeMark(uint16_t* marks, int32_t token, const Change& change) {
  auto* const word = reinterpret_cast<uint32_t*>(marks) + token / 2;
  const int shift = token % 2 * 16;
  uint32_t before = *static_cast<volatile uint32_t*>(word);
  for (;;) {
    const uint32_t mark = before >> shift & 0xFFFF;
    const uint32_t changed = change(mark);
    if (changed == mark) {
      return;
    }
    const uint32_t found = atomicCAS(word, before, before ^ (mark ^ changed) << shift);
    if (found == before) {
      return;
    }
    before = found;
  }
}

// Equal tokens of a warp are counted together: a text may repeat one token throughout.
__device__ void MarkTokens(uint16_t* marks, const int32_t* tokens, int32_t count,
                           int32_t prompt_length) {
  const int32_t rounded = (count + kThreads - 1) / kThreads * kThreads;
  for (auto i = static_cast<int32_t>(threadIdx.x); i < rounded; i += kThreads) {
    const int32_t token = i < count ? tokens[i] : -1;
    const uint32_t equal = __match_any_sync(kAllLanes, token);
    const uint32_t answers = __ballot_sync(kAllLanes, i >= prompt_length) & equal;
    if (token >= 0 && threadIdx.x % 32 == static_cast<unsigned>(__ffs(equal) - 1)) {
      const auto more = static_cast<uint32_t>(__popc(answers));
      ChangeMark(marks, token, [=](uint32_t mark) {
        const uint32_t counted = (mark & kCountBits) + more;
        const uint32_t kept = counted < kCountBits ? counted : kCountBits;
        return (mark & kHasRule) | kSeen | kept;
      });
    }
  }
}

__global__ void __launch_bounds__(kThreads)
    OpenSlot(SamplerState state, int32_t slot, sampling::SlotSampling slot_sampling,
             const sampling::TokenRule* rules, const int32_t* tokens, int32_t token_count) {
  if (threadIdx.x == 0) {
    state.sampling[slot] = slot_sampling;
  }
  if (!HasMarks(slot_sampling)) {
    return;
  }
  uint16_t* const marks = state.marks + slot * state.mark_stride;
  auto* const vectors = reinterpret_cast<uint4*>(marks);
  for (int64_t i = threadIdx.x; i < state.mark_stride / 8; i += kThreads) {
    vectors[i] = make_uint4(0, 0, 0, 0);
  }
  __syncthreads();
  sampling::TokenRule* const own = state.rules + int64_t{slot} * sampling::kMaxTokenRules;
  for (auto i = static_cast<int32_t>(threadIdx.x); i < slot_sampling.rules; i += kThreads) {
    own[i] = rules[i];
    ChangeMark(marks, rules[i].token, [](uint32_t mark) { return mark | kHasRule; });
  }
  MarkTokens(marks, tokens, token_count, slot_sampling.prompt_length);
}

static_assert(kCountBits == sampling::kMaxCounted, "");

}  // namespace

cudaError_t LaunchOpenSlot(const SamplerState& state, int32_t slot,
                           const sampling::SlotSampling& slot_sampling,
                           const sampling::TokenRule* rules, const int32_t* tokens,
                           int32_t token_count, cudaStream_t stream) {
  const int threads = HasMarks(slot_sampling) ? kThreads : 32;
  OpenSlot<<<1, threads, 0, stream>>>(state, slot, slot_sampling, rules, tokens, token_count);
  return cudaGetLastError();
}

}  // namespace terminus::models::cuda
