#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "common/chat/ast.h"

namespace terminus::chat {

// The most that one run may do: statements and expressions evaluated, and one more for each 64
// bytes that are written, made or looked through. Some tenths of a second.
inline constexpr size_t kMaxSteps = 1'000'000;

// Runs a template over the names in `globals`, whose text is valid UTF-8. INVALID_ARGUMENT when the
// template refuses its input (raise_exception), does what is not supported, or goes over a limit:
// kMaxSteps, kMaxWeight for the output and for each value, 32 lists or dicts inside each other.
absl::StatusOr<std::string> Evaluate(const Block& block, Dict globals);

}  // namespace terminus::chat
