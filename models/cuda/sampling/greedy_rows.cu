#include <algorithm>

#include "models/cuda/launch.cuh"
#include "models/cuda/sampling/sample_rows.h"
#include "models/sampling/arithmetic.h"

namespace terminus::models::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;
constexpr uint32_t kAllLanes = 0xFFFFFFFF;
// Blocks that fill an H200, and the fewest tokens that are worth a block.
constexpr int kBlocks = 1024;
constexpr int kMinTokens = 1024;

// Above that of any token.
constexpr unsigned long long kNotFinite = ~0ull;

// The greater the likelier; of equal logits, the lower id.
__device__ __forceinline__ unsigned long long Candidate(float logit, int32_t token) {
  return static_cast<unsigned long long>(sampling::KeyOf(logit)) << 32 |
         (0xFFFFFFFFu - static_cast<uint32_t>(token));
}

__device__ __forceinline__ unsigned long long LargestOfBlock(unsigned long long value,
                                                             unsigned long long (&warps)[kWarps]) {
#pragma unroll
  for (unsigned step = 16; step > 0; step /= 2) {
    value = max(value, __shfl_xor_sync(kAllLanes, value, step));
  }
  if (threadIdx.x % 32 == 0) {
    warps[threadIdx.x / 32] = value;
  }
  __syncthreads();
  unsigned long long largest = warps[0];
#pragma unroll
  for (int i = 1; i < kWarps; ++i) {
    largest = max(largest, warps[i]);
  }
  return largest;
}

__device__ void WriteResult(const SamplerState& state, const TerminusSamplingCall& call,
                            unsigned long long best) {
  const bool finite = best != kNotFinite;
  const int32_t token =
      finite ? static_cast<int32_t>(0xFFFFFFFFu - static_cast<uint32_t>(best)) : 0;
  const TerminusSamplingRow& row = call.rows[blockIdx.y];
  call.results[blockIdx.y] = {token, finite ? 0u : TERMINUS_SAMPLING_NOT_FINITE, 0.0f, 0};
  state.last_tokens[row.slot] = token;
}

// Block (x, y) looks at share x of row y; the last one of a row that is done writes the result.
__global__ void __launch_bounds__(kThreads)
    GreedyRows(SamplerState state, TerminusSamplingCall call, int32_t share) {
  constexpr int kAtOnce = 8;
  WaitForBefore();
  const TerminusSamplingRow row = call.rows[blockIdx.y];
  if (row.slot < 0) {
    return;
  }
  const float* const logits = call.logits + row.row * call.row_stride;
  const int32_t begin = static_cast<int32_t>(blockIdx.x) * share;
  const int32_t end = min(begin + share, state.vocab_size);
  unsigned long long best = 0;
  for (int32_t base = begin + static_cast<int32_t>(threadIdx.x); base < end;
       base += kThreads * kAtOnce) {
    float values[kAtOnce];
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      const int32_t token = base + i * kThreads;
      values[i] = token < end ? logits[token] : -__builtin_huge_valf();
    }
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      const int32_t token = base + i * kThreads;
      if (token < end) {
        best = max(best, sampling::IsFinite(values[i]) ? Candidate(values[i], token) : kNotFinite);
      }
    }
  }
  __shared__ unsigned long long warps[kWarps];
  best = LargestOfBlock(best, warps);
  if (threadIdx.x != 0) {
    return;
  }
  atomicMax(&state.best[blockIdx.y], best);
  // The block that arrives last sees what those before it found.
  __threadfence();
  if (atomicInc(&state.arrived[blockIdx.y], gridDim.x - 1) == gridDim.x - 1) {
    __threadfence();
    WriteResult(state, call, atomicExch(&state.best[blockIdx.y], 0ull));
  }
}

}  // namespace

cudaError_t LaunchGreedyRows(const SamplerState& state, const TerminusSamplingCall& call,
                             cudaStream_t stream) {
  const int most = (state.vocab_size + kMinTokens - 1) / kMinTokens;
  const int shares = std::clamp(kBlocks / call.row_count, 1, std::min(most, 128));
  const int32_t share = (state.vocab_size + shares - 1) / shares;
  const dim3 grid(static_cast<unsigned>(shares), static_cast<unsigned>(call.row_count));
  return LaunchBehind(GreedyRows, grid, kThreads, 0, stream, state, call, share);
}

}  // namespace terminus::models::cuda
