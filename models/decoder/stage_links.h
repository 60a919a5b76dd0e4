#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace terminus::models::decoder {

// The connections of a pipeline stage with its neighbours. Each step goes through all stages: a
// stage receives the hidden states of the stage before it and sends its own to the stage behind it.
// The last stage sends the tokens that it sampled to the first one, which embeds them in a later
// step. Steps have the same order everywhere, so messages carry no names.
//
// Calls come from the thread that runs the stage. Sending returns before the other side has
// received; receiving waits. Errors are final: the stages no longer agree on where they are.
class StageLinks {
 public:
  virtual ~StageLinks() = default;

  // Hidden states [tokens, hidden_size], row by row.
  virtual absl::Status ReceiveHidden(absl::Span<float> hidden) = 0;
  virtual absl::Status SendHidden(absl::Span<const float> hidden) = 0;

  // A token for each row of logits of one step.
  virtual absl::Status ReceiveTokens(absl::Span<int32_t> tokens) = 0;
  virtual absl::Status SendTokens(absl::Span<const int32_t> tokens) = 0;
};

}  // namespace terminus::models::decoder
