#include "common/chat/bracket_parser.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/chat/expression_parser.h"
#include "common/chat/primary_parser.h"

namespace terminus::chat {
namespace {

using Kind = Expression::Kind;

// One index or slice of a subscript. `parts` gets the bounds of a slice, or just the index.
absl::Status ParseIndexOrSlice(TokenStream& tokens, std::vector<ExpressionPtr>& parts) {
  parts.resize(1);
  if (!tokens.IsOperator(":")) {
    TERMINUS_ASSIGN_OR_RETURN(parts[0], ParseExpression(tokens));
    if (!tokens.IsOperator(":")) return absl::OkStatus();
  }
  while (parts.size() < 3 && tokens.TakeOperator(":")) {
    ExpressionPtr bound;
    if (!tokens.IsOperator(":") && !tokens.IsOperator("]") && !tokens.IsOperator(",")) {
      TERMINUS_ASSIGN_OR_RETURN(bound, ParseExpression(tokens));
    }
    parts.push_back(std::move(bound));
  }
  parts.resize(3);
  return absl::OkStatus();
}

}  // namespace

absl::Status ParseArguments(TokenStream& tokens, Expression& call) {
  while (!tokens.IsOperator(")")) {
    const bool named = tokens.Peek().kind == Token::Kind::kName &&
                       tokens.Peek(1).kind == Token::Kind::kOperator && tokens.Peek(1).text == "=";
    const bool star = tokens.TakeOperator("*");
    const bool two_stars = !star && tokens.TakeOperator("**");
    const bool late =
        call.more_named != nullptr || (star && call.more_arguments != nullptr) ||
        (!star && !two_stars && !named && (call.more_arguments != nullptr || !call.named.empty()));
    if (late) return tokens.Error("an argument in the wrong order");
    std::string name;
    if (named) {
      name = tokens.Take().text;
      tokens.Take();
    }
    TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr value, ParseExpression(tokens));
    TERMINUS_RETURN_IF_ERROR(Deepen(tokens, call, *value));
    if (star) {
      call.more_arguments = std::move(value);
    } else if (two_stars) {
      call.more_named = std::move(value);
    } else if (named) {
      for (const auto& other : call.named) {
        if (other.first == name) {
          return tokens.Error(absl::StrCat("the argument '", name, "' is there twice"));
        }
      }
      call.named.emplace_back(std::move(name), std::move(value));
    } else {
      call.arguments.push_back(std::move(value));
    }
    if (!tokens.TakeOperator(",")) break;
  }
  return tokens.ExpectOperator(")");
}

absl::StatusOr<ExpressionPtr> ParseSubscript(TokenStream& tokens, ExpressionPtr value) {
  ExpressionPtr made = NewExpression(tokens, Kind::kItem);
  TERMINUS_RETURN_IF_ERROR(Adopt(tokens, *made, std::move(value)));
  ExpressionPtr tuple = NewExpression(tokens, Kind::kTuple);
  std::vector<ExpressionPtr> slice;
  while (!tokens.IsOperator("]")) {
    std::vector<ExpressionPtr> parts;
    TERMINUS_RETURN_IF_ERROR(ParseIndexOrSlice(tokens, parts));
    if (!slice.empty() || (parts.size() > 1 && !tuple->children.empty())) {
      return tokens.Error("a slice beside another index is not supported");
    }
    if (parts.size() > 1) {
      slice = std::move(parts);
    } else {
      TERMINUS_RETURN_IF_ERROR(Adopt(tokens, *tuple, std::move(parts[0])));
    }
    if (tokens.IsOperator("]")) break;
    TERMINUS_RETURN_IF_ERROR(tokens.ExpectOperator(","));
    if (tokens.IsOperator("]")) return tokens.Expected("an index");
  }
  TERMINUS_RETURN_IF_ERROR(tokens.ExpectOperator("]"));
  if (!slice.empty()) {
    made->kind = Kind::kSlice;
    for (ExpressionPtr& part : slice) {
      TERMINUS_RETURN_IF_ERROR(Adopt(tokens, *made, std::move(part)));
    }
    return made;
  }
  const bool one = tuple->children.size() == 1;
  TERMINUS_RETURN_IF_ERROR(
      Adopt(tokens, *made, one ? std::move(tuple->children[0]) : std::move(tuple)));
  return made;
}

}  // namespace terminus::chat
