#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/types/span.h"

namespace terminus::services::decoder::pipeline {

// Which tokens a grammar allows next in one answer. Holds the state of the answer so far, which
// lives as long as the answer, also while its sequence is preempted.
//
// FillMask and Accept are called in turns, each on another thread perhaps, but never at the same
// time.
class TokenConstraint {
 public:
  virtual ~TokenConstraint() = default;

  // Writes a bit for each token of the vocabulary, lowest first, set where the token is allowed.
  // Overwrites all words. Allows at least one token; once the answer may end, end tokens as well.
  virtual void FillMask(absl::Span<uint32_t> mask) = 0;

  // The answer goes on with a token, an end token included. False: the token was not allowed, and
  // the state is as before.
  virtual bool Accept(int32_t token) = 0;
};

// Called once for each choice, on the engine's thread. Must not block.
using ConstraintFactory = std::function<std::unique_ptr<TokenConstraint>()>;

}  // namespace terminus::services::decoder::pipeline
