#include "common/chat/expression_parser.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/chat/primary_parser.h"

namespace terminus::chat {
namespace {

using Kind = Expression::Kind;

// Binary operators, the loosest binding first.
class OperatorParser {
 public:
  explicit OperatorParser(TokenStream& tokens) : tokens_(tokens) {}

  absl::StatusOr<ExpressionPtr> ParseCondition() {
    const TokenStream::Depth depth(tokens_);
    TERMINUS_RETURN_IF_ERROR(tokens_.CheckDepth());
    TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr value, ParseOr());
    while (tokens_.TakeName("if")) {
      ExpressionPtr condition = NewExpression(tokens_, Kind::kCondition);
      TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr test, ParseOr());
      ExpressionPtr otherwise;
      if (tokens_.TakeName("else")) {
        TERMINUS_ASSIGN_OR_RETURN(otherwise, ParseCondition());
      }
      TERMINUS_RETURN_IF_ERROR(Adopt(tokens_, *condition, std::move(value)));
      TERMINUS_RETURN_IF_ERROR(Adopt(tokens_, *condition, std::move(test)));
      TERMINUS_RETURN_IF_ERROR(Adopt(tokens_, *condition, std::move(otherwise)));
      value = std::move(condition);
    }
    return value;
  }

  absl::StatusOr<ExpressionPtr> ParseOr() {
    TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr left, ParseAnd());
    while (tokens_.TakeName("or")) {
      TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr right, ParseAnd());
      TERMINUS_ASSIGN_OR_RETURN(left, Binary("or", std::move(left), std::move(right)));
    }
    return left;
  }

 private:
  absl::StatusOr<ExpressionPtr> Binary(std::string op, ExpressionPtr left, ExpressionPtr right) {
    ExpressionPtr made = NewExpression(tokens_, Kind::kBinary, std::move(op));
    TERMINUS_RETURN_IF_ERROR(Adopt(tokens_, *made, std::move(left)));
    TERMINUS_RETURN_IF_ERROR(Adopt(tokens_, *made, std::move(right)));
    return made;
  }

  absl::StatusOr<ExpressionPtr> ParseAnd() {
    TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr left, ParseNot());
    while (tokens_.TakeName("and")) {
      TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr right, ParseNot());
      TERMINUS_ASSIGN_OR_RETURN(left, Binary("and", std::move(left), std::move(right)));
    }
    return left;
  }

  absl::StatusOr<ExpressionPtr> ParseNot() {
    if (!tokens_.TakeName("not")) return ParseComparison();
    const TokenStream::Depth depth(tokens_);
    TERMINUS_RETURN_IF_ERROR(tokens_.CheckDepth());
    ExpressionPtr made = NewExpression(tokens_, Kind::kUnary, "not");
    TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr inner, ParseNot());
    TERMINUS_RETURN_IF_ERROR(Adopt(tokens_, *made, std::move(inner)));
    return made;
  }

  // The operator of a comparison; empty for none.
  std::string TakeComparison() {
    for (const char* known : {"==", "!=", "<", ">", "<=", ">="}) {
      if (tokens_.TakeOperator(known)) return known;
    }
    if (tokens_.TakeName("in")) return "in";
    if (tokens_.IsName("not") && tokens_.Peek(1).kind == Token::Kind::kName &&
        tokens_.Peek(1).text == "in") {
      tokens_.Take();
      tokens_.Take();
      return "not in";
    }
    return "";
  }

  // In Python a < b < c means a < b and b < c.
  absl::StatusOr<ExpressionPtr> ParseComparison() {
    TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr left, ParseSum());
    std::string op = TakeComparison();
    if (op.empty()) return left;
    ExpressionPtr made = NewExpression(tokens_, Kind::kComparison);
    TERMINUS_RETURN_IF_ERROR(Adopt(tokens_, *made, std::move(left)));
    while (!op.empty()) {
      made->operators.push_back(std::move(op));
      TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr right, ParseSum());
      TERMINUS_RETURN_IF_ERROR(Adopt(tokens_, *made, std::move(right)));
      op = TakeComparison();
    }
    return made;
  }

  std::string TakeOneOf(std::initializer_list<const char*> operators) {
    for (const char* known : operators) {
      if (tokens_.TakeOperator(known)) return known;
    }
    return "";
  }

  absl::StatusOr<ExpressionPtr> ParseSum() {
    TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr left, ParseConcatenation());
    while (true) {
      std::string op = TakeOneOf({"+", "-"});
      if (op.empty()) return left;
      TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr right, ParseConcatenation());
      TERMINUS_ASSIGN_OR_RETURN(left, Binary(std::move(op), std::move(left), std::move(right)));
    }
  }

  absl::StatusOr<ExpressionPtr> ParseConcatenation() {
    TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr first, ParseProduct());
    if (!tokens_.IsOperator("~")) return first;
    ExpressionPtr made = NewExpression(tokens_, Kind::kConcatenation);
    TERMINUS_RETURN_IF_ERROR(Adopt(tokens_, *made, std::move(first)));
    while (tokens_.TakeOperator("~")) {
      TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr next, ParseProduct());
      TERMINUS_RETURN_IF_ERROR(Adopt(tokens_, *made, std::move(next)));
    }
    return made;
  }

  absl::StatusOr<ExpressionPtr> ParseProduct() {
    TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr left, ParsePower());
    while (true) {
      std::string op = TakeOneOf({"*", "/", "//", "%"});
      if (op.empty()) return left;
      TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr right, ParsePower());
      TERMINUS_ASSIGN_OR_RETURN(left, Binary(std::move(op), std::move(left), std::move(right)));
    }
  }

  // Unlike in Python, 2**3**2 is (2**3)**2 and -2**2 is (-2)**2.
  absl::StatusOr<ExpressionPtr> ParsePower() {
    TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr left, ParseUnary(tokens_));
    while (tokens_.TakeOperator("**")) {
      TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr right, ParseUnary(tokens_));
      TERMINUS_ASSIGN_OR_RETURN(left, Binary("**", std::move(left), std::move(right)));
    }
    return left;
  }

  TokenStream& tokens_;
};

bool IsTupleEnd(const TokenStream& tokens, absl::string_view end) {
  return tokens.Peek().kind == Token::Kind::kOutputEnd ||
         tokens.Peek().kind == Token::Kind::kBlockEnd || tokens.IsOperator(")") ||
         (!end.empty() && tokens.IsName(end));
}

// `parse` reads one element.
template <typename Parse>
absl::StatusOr<ExpressionPtr> ParseElements(TokenStream& tokens, absl::string_view end,
                                            bool may_be_empty, Parse parse) {
  ExpressionPtr tuple = NewExpression(tokens, Kind::kTuple);
  bool is_tuple = false;
  while (!IsTupleEnd(tokens, end)) {
    TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr element, parse());
    TERMINUS_RETURN_IF_ERROR(Adopt(tokens, *tuple, std::move(element)));
    if (!tokens.TakeOperator(",")) break;
    is_tuple = true;
  }
  if (is_tuple) return tuple;
  if (!tuple->children.empty()) return std::move(tuple->children[0]);
  if (may_be_empty) return tuple;
  return tokens.Expected("an expression");
}

// Turns what was read into a target.
absl::Status MakeTarget(const TokenStream& tokens, Expression& target) {
  if (target.kind == Kind::kName || target.kind == Kind::kMember) return absl::OkStatus();
  if (target.kind != Kind::kTuple) {
    return tokens.Error("expected a name or several to assign to");
  }
  for (const ExpressionPtr& child : target.children) {
    TERMINUS_RETURN_IF_ERROR(MakeTarget(tokens, *child));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ExpressionPtr> ParseExpression(TokenStream& tokens) {
  return OperatorParser(tokens).ParseCondition();
}

absl::StatusOr<ExpressionPtr> ParseTuple(TokenStream& tokens, const TupleOptions& options) {
  const TokenStream::Depth depth(tokens);
  TERMINUS_RETURN_IF_ERROR(tokens.CheckDepth());
  return ParseElements(tokens, options.end, options.may_be_empty, [&] {
    return options.conditions ? ParseExpression(tokens) : OperatorParser(tokens).ParseOr();
  });
}

absl::StatusOr<ExpressionPtr> ParseTarget(TokenStream& tokens, bool members,
                                          absl::string_view end) {
  TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr target,
                            ParseElements(tokens, end, /*may_be_empty=*/false,
                                          [&] { return ParsePrimary(tokens, members); }));
  TERMINUS_RETURN_IF_ERROR(MakeTarget(tokens, *target));
  return target;
}

absl::StatusOr<ExpressionPtr> ParseTargetName(TokenStream& tokens) {
  if (tokens.Peek().kind != Token::Kind::kName) return tokens.Expected("a name");
  TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr name, ParsePrimary(tokens, /*members=*/false));
  TERMINUS_RETURN_IF_ERROR(MakeTarget(tokens, *name));
  return name;
}

}  // namespace terminus::chat
