#pragma once

#include <cstdint>

#include "models/cuda/sampling/sampler_state.h"
#include "models/sampling/arithmetic.h"

namespace terminus::models::cuda {

// Beside the bits of a mark: the token's bit in the row's mask is not set.
inline constexpr uint32_t kMasked = 1u << 16;

inline constexpr float kBannedLogit = -__builtin_huge_valf();

// One row of logits and what changes them before a choice. Pointers may be null where there is no
// such thing.
struct RowView {
  const float* logits;
  int32_t vocab_size;
  const uint16_t* marks;
  const uint32_t* mask;
  const sampling::TokenRule* rules;
  int32_t rule_count;
  uint32_t active_bans;  // Of TokenBan.
  float repetition_penalty;
  float frequency_penalty;
  float presence_penalty;

  // Requires: the token has a rule.
  __device__ sampling::TokenRule FindRule(int32_t token) const {
    int32_t first = 0;
    for (int32_t end = rule_count; end - first > 1;) {
      const int32_t middle = first + (end - first) / 2;
      if (rules[middle].token <= token) {
        first = middle;
      } else {
        end = middle;
      }
    }
    return rules[first];
  }

  __device__ uint32_t MarkOf(int32_t token) const {
    uint32_t mark = marks == nullptr ? 0u : marks[token];
    if (mask != nullptr && (mask[token / 32] >> (token % 32) & 1) == 0) {
      mark |= kMasked;
    }
    return mark;
  }

  // The same operations, in the same order, as sampling::ProcessLogits.
  __device__ float Process(float logit, uint32_t mark, int32_t token) const {
    if (mark == 0) {
      return logit;
    }
    uint32_t bans = 0;
    if ((mark & kHasRule) != 0) {
      const sampling::TokenRule rule = FindRule(token);
      logit = sampling::Plus(logit, rule.bias);
      bans = rule.bans;
    }
    if ((mark & kSeen) != 0) {
      logit = sampling::PenalizeRepetition(logit, repetition_penalty);
    }
    if ((mark & kCountBits) != 0) {
      logit = sampling::PenalizeCount(logit, static_cast<int>(mark & kCountBits), frequency_penalty,
                                      presence_penalty);
    }
    return (bans & active_bans) != 0 || (mark & kMasked) != 0 ? kBannedLogit : logit;
  }

  __device__ uint32_t KeyAt(int32_t token) const {
    return sampling::KeyOf(Process(logits[token], MarkOf(token), token));
  }

  // Calls visit(logit of the model, key of the processed logit, token) for this thread's share of
  // the tokens first, first + stride, .. below `end`, ascending. Several loads are under way at
  // once: one by one, the latency of memory would be most of the time.
  template <class Visit>
  __device__ __forceinline__ void ForRange(int32_t first, int32_t end, int32_t stride,
                                           const Visit& visit) const {
    constexpr int kAtOnce = 8;
    for (int32_t base = first; base < end; base += stride * kAtOnce) {
      float values[kAtOnce];
      uint32_t found[kAtOnce];
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i) {
        const int32_t token = base + i * stride;
        values[i] = token < end ? logits[token] : 0.0f;
        found[i] = token < end ? MarkOf(token) : 0u;
      }
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i) {
        const int32_t token = base + i * stride;
        if (token < end) {
          visit(values[i], sampling::KeyOf(Process(values[i], found[i], token)), token);
        }
      }
    }
  }

  // Calls visit(key, token) for this thread's share of all tokens.
  template <class Visit>
  __device__ __forceinline__ void ForEach(const Visit& visit) const {
    ForRange(static_cast<int32_t>(threadIdx.x), vocab_size, static_cast<int32_t>(blockDim.x),
             [&](float, uint32_t key, int32_t token) { visit(key, token); });
  }
};

}  // namespace terminus::models::cuda
