#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/chat/ast.h"

namespace terminus::chat {

// Parses the part of Jinja 2 that chat templates use; chat_template.h lists it. INVALID_ARGUMENT
// names the line, what is there and what was expected. Nesting is bounded.
absl::StatusOr<Block> Parse(absl::string_view source);

}  // namespace terminus::chat
