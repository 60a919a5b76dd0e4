#pragma once

#include "absl/status/statusor.h"
#include "common/chat/ast.h"
#include "common/chat/context.h"
#include "common/chat/value.h"

namespace terminus::chat {

// Runs a template over the variables in `variables`, whose text is valid UTF-8. INVALID_ARGUMENT
// when the template refuses its input (raise_exception), where Python raises an error, for what is
// not supported, and beyond a limit: kMaxSteps, kMaxWeight for the output and for each value,
// kMaxValueDepth, and how deep macros may call each other.
absl::StatusOr<Text> Evaluate(const Template& parsed, const Dict& variables, Context& context);

}  // namespace terminus::chat
