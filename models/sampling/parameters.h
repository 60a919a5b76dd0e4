#pragma once

#include <cstdint>
#include <vector>

// A request's settings for the choice of its next token. No torch in this header.
namespace terminus::models::sampling {

inline constexpr int kMaxTopLogprobs = 20;
inline constexpr int kMaxLogitBiases = 300;

// Added to the logit of one token.
struct LogitBias {
  int32_t token = 0;
  float bias = 0;

  friend bool operator==(const LogitBias&, const LogitBias&) = default;
};

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
  // Subtracted from the logit of each token of the answer: once for each time that it occurs, and
  // once if it occurs at all.
  float frequency_penalty = 0;
  float presence_penalty = 0;
  // At most kMaxLogitBiases, each token once.
  std::vector<LogitBias> logit_bias;
  // Tokens of the answer before which no end-of-sequence token is chosen.
  int32_t min_tokens = 0;
  uint64_t seed = 0;
  // Index of the answer among those to one prompt; answers with equal seeds differ by it.
  uint32_t choice = 0;
  // Alternatives to report, at most kMaxTopLogprobs; -1: no logprobs at all.
  int32_t top_logprobs = -1;

  friend bool operator==(const Parameters&, const Parameters&) = default;
};

struct Logprob {
  int32_t token = 0;
  float logprob = 0;
};

// The choice of one row.
struct Sampled {
  // Its logprob is 0 when none was asked for.
  Logprob chosen;
  // Likeliest first.
  std::vector<Logprob> top;
};

}  // namespace terminus::models::sampling
