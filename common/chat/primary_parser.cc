#include "common/chat/primary_parser.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/chat/bracket_parser.h"
#include "common/chat/expression_parser.h"

namespace terminus::chat {
namespace {

using Kind = Expression::Kind;

absl::StatusOr<ExpressionPtr> ParseInteger(TokenStream& tokens) {
  const std::string& text = tokens.Peek().text;
  uint64_t value = 0;
  bool fits = true;
  const int base = text.size() < 2 || text[0] != '0' ? 10
                   : (text[1] | 0x20) == 'x'         ? 16
                   : (text[1] | 0x20) == 'o'         ? 8
                   : (text[1] | 0x20) == 'b'         ? 2
                                                     : 10;
  for (const char c : absl::string_view(text).substr(base == 10 ? 0 : 2)) {
    const auto digit = static_cast<uint64_t>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    fits = fits && !__builtin_mul_overflow(value, static_cast<uint64_t>(base), &value) &&
           !__builtin_add_overflow(value, digit, &value);
  }
  if (!fits || value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return tokens.Error(absl::StrCat("the number ", text, " is too large"));
  }
  ExpressionPtr made = NewExpression(tokens, Kind::kLiteral);
  made->value = Value(static_cast<int64_t>(value));
  tokens.Take();
  return made;
}

absl::StatusOr<ExpressionPtr> ParseFloat(TokenStream& tokens) {
  double value = 0;
  if (!absl::SimpleAtod(tokens.Peek().text, &value) || std::isinf(value)) {
    return tokens.Error(absl::StrCat("the number ", tokens.Peek().text, " is too large"));
  }
  ExpressionPtr made = NewExpression(tokens, Kind::kLiteral);
  made->value = Value(value);
  tokens.Take();
  return made;
}

absl::StatusOr<ExpressionPtr> ParseNameOrConstant(TokenStream& tokens, bool members) {
  ExpressionPtr made = NewExpression(tokens, Kind::kLiteral);
  const std::string text = tokens.Take().text;
  if (text == "true" || text == "True") {
    made->value = Value(true);
  } else if (text == "false" || text == "False") {
    made->value = Value(false);
  } else if (text == "none" || text == "None") {
    made->value = Value(Value::None());
  } else {
    made->kind = Kind::kName;
    made->text = text;
    if (members && tokens.TakeOperator(".")) {
      made->kind = Kind::kMember;
      TERMINUS_ASSIGN_OR_RETURN(made->attribute, tokens.ExpectName("a name"));
    }
  }
  return made;
}

// [ … ] or { … }.
absl::StatusOr<ExpressionPtr> ParseListOrDict(TokenStream& tokens) {
  const bool is_list = tokens.IsOperator("[");
  ExpressionPtr made = NewExpression(tokens, is_list ? Kind::kList : Kind::kDict);
  tokens.Take();
  const char* const end = is_list ? "]" : "}";
  while (!tokens.IsOperator(end)) {
    TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr element, ParseExpression(tokens));
    TERMINUS_RETURN_IF_ERROR(Adopt(tokens, *made, std::move(element)));
    if (!is_list) {
      TERMINUS_RETURN_IF_ERROR(tokens.ExpectOperator(":"));
      TERMINUS_ASSIGN_OR_RETURN(element, ParseExpression(tokens));
      TERMINUS_RETURN_IF_ERROR(Adopt(tokens, *made, std::move(element)));
    }
    if (!tokens.TakeOperator(",")) break;
  }
  TERMINUS_RETURN_IF_ERROR(tokens.ExpectOperator(end));
  return made;
}

// Behind ".".
absl::StatusOr<ExpressionPtr> ParseAttribute(TokenStream& tokens, ExpressionPtr value) {
  ExpressionPtr made = NewExpression(tokens, Kind::kAttribute);
  if (tokens.Peek().kind == Token::Kind::kInteger) {
    made->kind = Kind::kItem;
    TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr index, ParseInteger(tokens));
    TERMINUS_RETURN_IF_ERROR(Adopt(tokens, *made, std::move(value)));
    TERMINUS_RETURN_IF_ERROR(Adopt(tokens, *made, std::move(index)));
    return made;
  }
  TERMINUS_ASSIGN_OR_RETURN(made->text, tokens.ExpectName("a name or a number"));
  TERMINUS_RETURN_IF_ERROR(Adopt(tokens, *made, std::move(value)));
  return made;
}

absl::StatusOr<ExpressionPtr> ParseCall(TokenStream& tokens, ExpressionPtr callee) {
  ExpressionPtr made = NewExpression(tokens, Kind::kCall);
  TERMINUS_RETURN_IF_ERROR(tokens.ExpectOperator("("));
  TERMINUS_RETURN_IF_ERROR(Adopt(tokens, *made, std::move(callee)));
  TERMINUS_RETURN_IF_ERROR(ParseArguments(tokens, *made));
  return made;
}

absl::StatusOr<ExpressionPtr> ParsePostfix(TokenStream& tokens, ExpressionPtr value) {
  while (true) {
    if (tokens.TakeOperator(".")) {
      TERMINUS_ASSIGN_OR_RETURN(value, ParseAttribute(tokens, std::move(value)));
    } else if (tokens.TakeOperator("[")) {
      TERMINUS_ASSIGN_OR_RETURN(value, ParseSubscript(tokens, std::move(value)));
    } else if (tokens.IsOperator("(")) {
      TERMINUS_ASSIGN_OR_RETURN(value, ParseCall(tokens, std::move(value)));
    } else {
      return value;
    }
  }
}

// Whether a test has an argument without brackets: "x is divisibleby 3".
bool IsBareArgument(const TokenStream& tokens) {
  switch (tokens.Peek().kind) {
    case Token::Kind::kName:
      return !tokens.IsName("else") && !tokens.IsName("or") && !tokens.IsName("and");
    case Token::Kind::kString:
    case Token::Kind::kInteger:
    case Token::Kind::kFloat:
      return true;
    default:
      return tokens.IsOperator("[") || tokens.IsOperator("{");
  }
}

// Names of filters and tests may have dots.
absl::StatusOr<std::string> ParseDottedName(TokenStream& tokens, absl::string_view what) {
  TERMINUS_ASSIGN_OR_RETURN(std::string name, tokens.ExpectName(what));
  while (tokens.TakeOperator(".")) {
    TERMINUS_ASSIGN_OR_RETURN(const std::string more, tokens.ExpectName(what));
    absl::StrAppend(&name, ".", more);
  }
  return name;
}

// Behind "is".
absl::StatusOr<ExpressionPtr> ParseTest(TokenStream& tokens, ExpressionPtr value) {
  const bool negated = tokens.TakeName("not");
  ExpressionPtr made = NewExpression(tokens, Kind::kTest);
  TERMINUS_ASSIGN_OR_RETURN(made->text, ParseDottedName(tokens, "a test"));
  TERMINUS_RETURN_IF_ERROR(Adopt(tokens, *made, std::move(value)));
  if (tokens.TakeOperator("(")) {
    TERMINUS_RETURN_IF_ERROR(ParseArguments(tokens, *made));
  } else if (IsBareArgument(tokens)) {
    if (tokens.IsName("is")) return tokens.Error("tests cannot follow each other, expected 'and'");
    TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr argument, ParsePrimary(tokens, /*members=*/false));
    TERMINUS_ASSIGN_OR_RETURN(argument, ParsePostfix(tokens, std::move(argument)));
    TERMINUS_RETURN_IF_ERROR(Deepen(tokens, *made, *argument));
    made->arguments.push_back(std::move(argument));
  }
  if (!negated) return made;
  ExpressionPtr inverse = NewExpression(tokens, Kind::kUnary, "not");
  TERMINUS_RETURN_IF_ERROR(Adopt(tokens, *inverse, std::move(made)));
  return inverse;
}

absl::StatusOr<ExpressionPtr> ParseFiltersAndTests(TokenStream& tokens, ExpressionPtr value) {
  while (true) {
    if (tokens.IsOperator("|")) {
      TERMINUS_ASSIGN_OR_RETURN(value, ParseFilters(tokens, std::move(value), /*inner=*/false));
    } else if (tokens.TakeName("is")) {
      TERMINUS_ASSIGN_OR_RETURN(value, ParseTest(tokens, std::move(value)));
    } else if (tokens.IsOperator("(")) {
      TERMINUS_ASSIGN_OR_RETURN(value, ParseCall(tokens, std::move(value)));
    } else {
      return value;
    }
  }
}

absl::StatusOr<ExpressionPtr> ParseSigned(TokenStream& tokens, bool with_filters) {
  const TokenStream::Depth depth(tokens);
  TERMINUS_RETURN_IF_ERROR(tokens.CheckDepth());
  ExpressionPtr value;
  const char* const sign = tokens.TakeOperator("-")   ? "-"
                           : tokens.TakeOperator("+") ? "+"
                                                      : nullptr;
  if (sign != nullptr) {
    value = NewExpression(tokens, Kind::kUnary, sign);
    TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr inner, ParseSigned(tokens, /*with_filters=*/false));
    TERMINUS_RETURN_IF_ERROR(Adopt(tokens, *value, std::move(inner)));
  } else {
    TERMINUS_ASSIGN_OR_RETURN(value, ParsePrimary(tokens, /*members=*/false));
  }
  TERMINUS_ASSIGN_OR_RETURN(value, ParsePostfix(tokens, std::move(value)));
  return with_filters ? ParseFiltersAndTests(tokens, std::move(value)) : std::move(value);
}

}  // namespace

ExpressionPtr NewExpression(const TokenStream& tokens, Expression::Kind kind, std::string text) {
  auto made = std::make_unique<Expression>();
  made->kind = kind;
  made->line = tokens.line();
  made->text = std::move(text);
  return made;
}

absl::Status Deepen(const TokenStream& tokens, Expression& parent, const Expression& child) {
  parent.depth = std::max(parent.depth, child.depth + 1);
  return parent.depth > kMaxDepth
             ? tokens.Error(absl::StrCat("an expression nested deeper than ", kMaxDepth))
             : absl::OkStatus();
}

absl::Status Adopt(const TokenStream& tokens, Expression& parent, ExpressionPtr child) {
  if (child != nullptr) TERMINUS_RETURN_IF_ERROR(Deepen(tokens, parent, *child));
  parent.children.push_back(std::move(child));
  return absl::OkStatus();
}

absl::StatusOr<ExpressionPtr> ParseUnary(TokenStream& tokens) {
  return ParseSigned(tokens, /*with_filters=*/true);
}

absl::StatusOr<ExpressionPtr> ParsePrimary(TokenStream& tokens, bool members) {
  switch (tokens.Peek().kind) {
    case Token::Kind::kName:
      return ParseNameOrConstant(tokens, members);
    case Token::Kind::kInteger:
      return ParseInteger(tokens);
    case Token::Kind::kFloat:
      return ParseFloat(tokens);
    case Token::Kind::kString: {
      ExpressionPtr made = NewExpression(tokens, Kind::kLiteral);
      std::string text;
      // Neighbours are one string, as in Python.
      while (tokens.Peek().kind == Token::Kind::kString) text += tokens.Take().text;
      made->value = Value(std::move(text));
      return made;
    }
    default:
      break;
  }
  if (tokens.TakeOperator("(")) {
    TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr inner, ParseTuple(tokens, {.may_be_empty = true}));
    TERMINUS_RETURN_IF_ERROR(tokens.ExpectOperator(")"));
    return inner;
  }
  if (tokens.IsOperator("[") || tokens.IsOperator("{")) return ParseListOrDict(tokens);
  return tokens.Expected("an expression");
}

absl::StatusOr<ExpressionPtr> ParseFilters(TokenStream& tokens, ExpressionPtr value, bool inner) {
  while (inner || tokens.TakeOperator("|")) {
    inner = false;
    ExpressionPtr made = NewExpression(tokens, Kind::kFilter);
    TERMINUS_ASSIGN_OR_RETURN(made->text, ParseDottedName(tokens, "a filter"));
    TERMINUS_RETURN_IF_ERROR(Adopt(tokens, *made, std::move(value)));
    if (tokens.TakeOperator("(")) TERMINUS_RETURN_IF_ERROR(ParseArguments(tokens, *made));
    value = std::move(made);
  }
  return value;
}

}  // namespace terminus::chat
