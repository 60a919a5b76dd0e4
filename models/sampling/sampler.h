#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "models/sampling/logits.h"
#include "models/sampling/parameters.h"

// Which token comes next, from the logits of one position.
namespace terminus::models::sampling {

// The token that a row without a choice counts as having chosen: any valid one serves.
inline constexpr int32_t kFallbackToken = 0;

// Samples from one row of logits, [vocabulary]. `position` is the token's index in its sequence.
// The rules of the model's folder and the parameters apply first, see logits.h; then `mask`, where
// it is not null, bans the tokens whose bit is not set; the choice follows, see candidates.h and
// arithmetic.h. Equal arguments give equal results; of equal logits the greedy choice is the lowest
// id. Logprobs are natural logarithms of the model's own probabilities, before all of that.
//
// INTERNAL when there are no logits, more than kMaxVocabulary, or one of them is NaN or infinite:
// then the model has failed. FAILED_PRECONDITION, reason NO_TOKEN_LEFT, when rules, parameters and
// mask leave no token.
absl::StatusOr<Sampled> Sample(absl::Span<const float> logits, const Parameters& parameters,
                               uint64_t position, const LogitRules& rules = {},
                               const History& history = {}, const uint32_t* mask = nullptr);

}  // namespace terminus::models::sampling
