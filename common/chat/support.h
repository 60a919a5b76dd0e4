#pragma once

#include "absl/status/status.h"
#include "common/chat/ast.h"

namespace terminus::chat {

// OK when all that a template uses is supported, whether a run gets there or not: filters, tests,
// functions and methods. INVALID_ARGUMENT names the first that is not, and its line. Filters and
// tests inside an if that Jinja does not know either pass: as in Jinja, they are errors when a run
// gets there.
absl::Status CheckSupported(const Template& parsed);

}  // namespace terminus::chat
