#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/chat/ast.h"
#include "common/chat/token_stream.h"

// The parts of expressions that bind tighter than the operators between them.
namespace terminus::chat {

ExpressionPtr NewExpression(const TokenStream& tokens, Expression::Kind kind,
                            std::string text = "");

// Makes the parent at least one deeper than a part of it. INVALID_ARGUMENT when it becomes too
// deep.
absl::Status Deepen(const TokenStream& tokens, Expression& parent, const Expression& child);

// Appends a child, which may be null. INVALID_ARGUMENT when the parent becomes too deep.
absl::Status Adopt(const TokenStream& tokens, Expression& parent, ExpressionPtr child);

// A sign, a primary and what follows it: calls, attributes, items, filters and tests. A sign binds
// tighter than filters: -1 | string is (-1) | string.
absl::StatusOr<ExpressionPtr> ParseUnary(TokenStream& tokens);

// A literal, a name or something in brackets. With `members`, name.attribute is a kMember.
absl::StatusOr<ExpressionPtr> ParsePrimary(TokenStream& tokens, bool members);

}  // namespace terminus::chat
