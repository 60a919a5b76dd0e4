#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "common/chat/ast.h"
#include "common/chat/token_stream.h"

namespace terminus::chat {

// An expression from where `tokens` is on. INVALID_ARGUMENT names the line and what was expected.
absl::StatusOr<std::unique_ptr<Expression>> ParseExpression(TokenStream& tokens);

// One without a condition behind it: in "for x in a if b" the sequence is a.
absl::StatusOr<std::unique_ptr<Expression>> ParseUnconditional(TokenStream& tokens);

}  // namespace terminus::chat
