#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "common/chat/ast.h"

namespace terminus::chat {

struct EvaluationLimits {
  // Statements and expressions evaluated.
  size_t max_steps = 1'000'000;
  // Bytes of the output, and of any string on the way.
  size_t max_bytes = 16 << 20;
};

// Runs a template over the names in `globals`. INVALID_ARGUMENT when the template refuses its input
// (raise_exception), does what is not supported, or goes over a limit.
absl::StatusOr<std::string> Evaluate(const Block& block, Dict globals,
                                     const EvaluationLimits& limits);

}  // namespace terminus::chat
