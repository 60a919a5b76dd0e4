#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/chat/ast.h"
#include "common/chat/token_stream.h"

// Expressions, from where `tokens` is on. INVALID_ARGUMENT names the line and what was expected.
namespace terminus::chat {

absl::StatusOr<ExpressionPtr> ParseExpression(TokenStream& tokens);

struct TupleOptions {
  // Whether "a if b else c" is taken: in "for x in a if b" the sequence is a.
  bool conditions = true;
  // A name that ends the tuple, as "in" in "for a, b in c".
  absl::string_view end;
  // Whether nothing at all is an empty tuple, as in "()".
  bool may_be_empty = false;
};

// An expression, or several with commas between them: a tuple.
absl::StatusOr<ExpressionPtr> ParseTuple(TokenStream& tokens, const TupleOptions& options = {});

// What may be assigned to: a name, a tuple of such, and a namespace's member if `members`. `end` is
// as in TupleOptions.
absl::StatusOr<ExpressionPtr> ParseTarget(TokenStream& tokens, bool members,
                                          absl::string_view end = {});

// A name that is assigned to.
absl::StatusOr<ExpressionPtr> ParseTargetName(TokenStream& tokens);

// "name(arguments) | name …" applied to `value`, which is null in a filter block; null when there
// is no filter. With `inner`, the first one has no "|" before it.
absl::StatusOr<ExpressionPtr> ParseFilters(TokenStream& tokens, ExpressionPtr value, bool inner);

}  // namespace terminus::chat
