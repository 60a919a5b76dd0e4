#pragma once

#include <cstdint>

#include "models/cuda/sampling/sampling_api.h"

// What the sampling kernels keep on the device. Allocated by DeviceSampler.
namespace terminus::models::cuda {

// A mark is what a slot keeps of one token of the vocabulary: these bits, and in the lowest 14 how
// often the token occurs in the answer, at most sampling::kMaxCounted.
inline constexpr uint32_t kSeen = 1u << 15;     // In prompt or answer.
inline constexpr uint32_t kHasRule = 1u << 14;  // The slot has a TokenRule for it.
inline constexpr uint32_t kCountBits = kHasRule - 1;

// Pointers are to memory of the device.
struct SamplerState {
  int32_t vocab_size;
  int64_t mark_stride;               // A multiple of 8, at least vocab_size.
  sampling::SlotSampling* sampling;  // [slots]
  sampling::TokenRule* rules;        // [slots, kMaxTokenRules]
  // [slots, mark_stride]; a row is valid where HasMarks says so of the slot's sampling.
  uint16_t* marks;
  int32_t* last_tokens;  // [slots]
  // Of the greedy kernel, all zero between its launches: the best token so far of each row, and how
  // many blocks are done with it. [max_rows]
  unsigned long long* best;
  uint32_t* arrived;
};

// Whether the slot's marks are used.
TERMINUS_HOST_DEVICE bool HasMarks(const sampling::SlotSampling& sampling) {
  return sampling.rules > 0 || LooksBack(sampling);
}

}  // namespace terminus::models::cuda
