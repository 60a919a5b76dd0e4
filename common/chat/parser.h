#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/chat/ast.h"

namespace terminus::chat {

// Parses Jinja 2 with the extensions that transformers turns on (break, continue, generation), and
// gives variables their places. INVALID_ARGUMENT names the line, what is there and what was
// expected, or what is not supported. Nesting is bounded.
absl::StatusOr<std::unique_ptr<const Template>> Parse(absl::string_view source);

}  // namespace terminus::chat
