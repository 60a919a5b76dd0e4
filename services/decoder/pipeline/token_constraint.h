#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace terminus::services::decoder::pipeline {

// Which tokens a grammar allows next in one answer. Holds the state of the answer so far, which
// lives as long as the answer, also while its sequence is preempted.
//
// Advance is called once before each step that samples, on one of the engine's mask threads, and
// never by two threads at the same time.
class TokenConstraint {
 public:
  virtual ~TokenConstraint() = default;

  // The answer has gone on with `tokens` since the last call, which the mask of that call allowed.
  // Writes a bit for each token of the vocabulary, lowest first, set where the token is allowed
  // next; once the answer may end, end tokens as well. Overwrites all words, and sets at least one
  // bit.
  //
  // An error ends the generation with that status: it says why the answer cannot go on, and names
  // the field of the request at fault. Returns soon: the other sequences of the step wait for it.
  virtual absl::Status Advance(absl::Span<const int32_t> tokens, absl::Span<uint32_t> mask) = 0;
};

// Called once for each choice, on the engine's thread. Must not block.
using ConstraintFactory = std::function<std::unique_ptr<TokenConstraint>()>;

}  // namespace terminus::services::decoder::pipeline
