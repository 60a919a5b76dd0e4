#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

// Which token comes next, from the logits of one position.
namespace terminus::services::decoder::sampling {

inline constexpr int kMaxTopLogprobs = 20;

struct Parameters {
  // 0 for greedy.
  float temperature = 1;
  // Keep the k likeliest tokens; 0 keeps all.
  uint32_t top_k = 0;
  // Keep the fewest likeliest tokens that sum to this probability, in (0, 1]. Applied after
  // temperature and top_k.
  float top_p = 1;
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

// Samples from one row of logits, [vocabulary]. `position` is the token's place in its sequence.
// Equal arguments give equal results; ties of logits go to the lower id. Logprobs are natural
// logarithms of the model's own probabilities, before temperature, top_k and top_p.
//
// INTERNAL when there are no logits or one of them is NaN or infinite: then the model has failed.
absl::StatusOr<Sampled> Sample(absl::Span<const float> logits, const Parameters& parameters,
                               uint64_t position);

}  // namespace terminus::services::decoder::sampling
