#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "services/decoder/sampling/logits.h"

// Which token comes next, from the logits of one position.
namespace terminus::services::decoder::sampling {

inline constexpr int kMaxTopLogprobs = 20;

struct Parameters {
  // 0 for greedy.
  float temperature = 1;
  // Keep the k likeliest tokens; 0 keeps all.
  uint32_t top_k = 0;
  // Keep the fewest likeliest tokens that sum to this probability, in [0, 1]. Applied after
  // temperature and top_k.
  float top_p = 1;
  // Drop tokens below this share of the likeliest one's probability, in [0, 1].
  float min_p = 0;
  // Above 1 makes tokens of prompt and answer less likely; above 0.
  float repetition_penalty = 1;
  uint64_t seed = 0;
  // Index of the answer among those to one prompt; answers with equal seeds differ by it.
  uint32_t choice = 0;
  // Alternatives to report, at most kMaxTopLogprobs; -1: no logprobs at all.
  int32_t top_logprobs = -1;
};

struct Logprob {
  int32_t token = 0;
  float logprob = 0;
};

struct Sampled {
  // Its logprob is 0 when none was asked for.
  Logprob chosen;
  // Likeliest first.
  std::vector<Logprob> top;
};

// Samples from one row of logits, [vocabulary]. `position` is the token's index in its sequence.
// The rules of the model's folder apply first, then the parameters; see logits.h and candidates.h.
// Equal arguments give equal results; of equal logits the greedy choice is the lowest id. Logprobs
// are natural logarithms of the model's own probabilities, before all of that.
//
// INTERNAL when there are no logits or one of them is NaN or infinite: then the model has failed.
// FAILED_PRECONDITION when rules and parameters leave no token.
absl::StatusOr<Sampled> Sample(absl::Span<const float> logits, const Parameters& parameters,
                               uint64_t position, const LogitRules& rules = {},
                               const History& history = {});

}  // namespace terminus::services::decoder::sampling
