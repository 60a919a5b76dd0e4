#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/chat/ast.h"
#include "common/chat/token_stream.h"

// Parses the brackets that follow a value.
namespace terminus::chat {

// Behind "(": the arguments of a call, a filter or a test, up to and with ")".
absl::Status ParseArguments(TokenStream& tokens, Expression& call);

// Behind "[": an index or a slice of `value`, up to and with "]".
absl::StatusOr<ExpressionPtr> ParseSubscript(TokenStream& tokens, ExpressionPtr value);

}  // namespace terminus::chat
