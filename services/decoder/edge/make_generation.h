#pragma once

#include "absl/status/statusor.h"
#include "services/decoder/edge/served.h"
#include "services/decoder/edge/validate.h"
#include "services/decoder/pipeline/generation.h"

namespace terminus::services::decoder::edge {

// The generation that a request asks of a model, with its prompt tokenised. Arrival, deadline, sink
// and constraint are left to the caller. INVALID_ARGUMENT names the field when the prompt has no
// tokens, or leaves no room for an answer.
absl::StatusOr<pipeline::Generation> MakeGeneration(const GenerateWish& wish,
                                                    const ServedModel& model);

}  // namespace terminus::services::decoder::edge
