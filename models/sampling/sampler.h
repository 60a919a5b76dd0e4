#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "models/sampling/logits.h"
#include "models/sampling/parameters.h"

// Which token comes next, from the logits of one position.
namespace terminus::models::sampling {

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

}  // namespace terminus::models::sampling
