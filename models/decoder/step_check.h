#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "models/decoder/step.h"

namespace terminus::models::decoder {

// What a step may ask for.
struct StepLimits {
  int vocab_size = 0;
  int max_context = 0;
  int kv_blocks = 0;
  int hidden_size = 0;
  bool first_stage = true;
};

// OK, or INVALID_ARGUMENT naming the first token, sequence or block outside of the limits, or the
// span whose size does not fit the others.
absl::Status CheckStep(const StepInput& input, const StepLimits& limits);

}  // namespace terminus::models::decoder
