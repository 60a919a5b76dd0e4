#pragma once

#include <cstdint>

#include "models/sampling/host_device.h"

// The state that a device keeps to sample the tokens of one sequence. Plain structs, shared by the
// code that fills them and the kernels that read them.
namespace terminus::models::sampling {

// When a token is banned.
enum TokenBan : uint32_t {
  kBanAlways = 1,
  kBanFirst = 2,  // As the first token of the answer.
  kBanEnd = 4,    // While the sequence is shorter than SlotSampling::end_from.
};

// The changes to the logit of one token.
struct TokenRule {
  int32_t token;
  float bias;     // Added first.
  uint32_t bans;  // Bits of TokenBan.
};

inline constexpr int kMaxTokenRules = 2048;

// As Parameters, with what is plain of the folder's LogitRules.
struct SlotSampling {
  float temperature;
  uint32_t top_k;
  float top_p;
  float min_p;
  float repetition_penalty;
  float frequency_penalty;
  float presence_penalty;
  int32_t top_logprobs;
  uint64_t seed;
  uint32_t choice;
  int32_t prompt_length;
  // The length, in tokens, from which the sequence may end.
  int32_t end_from;
  // At most kMaxTokenRules; they stand apart, by ascending token, each token once.
  int32_t rules;
};

// Whether the choice depends on the tokens before it.
TERMINUS_HOST_DEVICE bool LooksBack(const SlotSampling& sampling) {
  return sampling.repetition_penalty != 1 || sampling.frequency_penalty != 0 ||
         sampling.presence_penalty != 0;
}

// Whether the likeliest token is all that is asked for.
TERMINUS_HOST_DEVICE bool IsPlain(const SlotSampling& sampling) {
  return sampling.temperature == 0 && sampling.top_logprobs < 0 && sampling.rules == 0 &&
         !LooksBack(sampling);
}

}  // namespace terminus::models::sampling
