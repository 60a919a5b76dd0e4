#pragma once

#include "absl/status/status.h"
#include "common/chat/ast.h"

namespace terminus::chat {

// Gives each variable of a template its place, by the rules of Jinja's compiler: the bodies of
// loops, macros, call, filter, with and set blocks have variables of their own, if has none; what a
// body assigns to is another variable from its beginning on, which starts with the value of the
// outer one. INVALID_ARGUMENT names the line of what Jinja refuses to compile.
absl::Status PlaceVariables(Template& parsed);

}  // namespace terminus::chat
