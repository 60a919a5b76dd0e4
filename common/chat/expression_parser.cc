#include "common/chat/expression_parser.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace terminus::chat {
namespace {

using ExpressionPtr = std::unique_ptr<Expression>;
using Kind = Expression::Kind;

// The loosest binding first.
class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& tokens) : tokens_(tokens) {}

  absl::StatusOr<ExpressionPtr> ParseExpression() {
    const TokenStream::Depth depth(tokens_);
    TERMINUS_RETURN_IF_ERROR(tokens_.CheckDepth());
    TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr value, ParseOr());
    while (tokens_.TakeName("if")) {
      ExpressionPtr condition = Make(Kind::kCondition);
      TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr test, ParseOr());
      ExpressionPtr otherwise;
      if (tokens_.TakeName("else")) {
        TERMINUS_ASSIGN_OR_RETURN(otherwise, ParseExpression());
      }
      TERMINUS_RETURN_IF_ERROR(Adopt(*condition, std::move(value)));
      TERMINUS_RETURN_IF_ERROR(Adopt(*condition, std::move(test)));
      TERMINUS_RETURN_IF_ERROR(Adopt(*condition, std::move(otherwise)));
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
  ExpressionPtr Make(Kind kind, std::string text = "") const {
    auto made = std::make_unique<Expression>();
    made->kind = kind;
    made->line = tokens_.line();
    made->text = std::move(text);
    return made;
  }

  // Appends a child, which may be null.
  absl::Status Adopt(Expression& parent, ExpressionPtr child) const {
    if (child != nullptr) parent.depth = std::max(parent.depth, child->depth + 1);
    parent.children.push_back(std::move(child));
    return parent.depth > kMaxDepth
               ? tokens_.Error(absl::StrCat("an expression nested deeper than ", kMaxDepth))
               : absl::OkStatus();
  }

  absl::StatusOr<ExpressionPtr> Binary(std::string op, ExpressionPtr left,
                                       ExpressionPtr right) const {
    ExpressionPtr made = Make(Kind::kBinary, std::move(op));
    TERMINUS_RETURN_IF_ERROR(Adopt(*made, std::move(left)));
    TERMINUS_RETURN_IF_ERROR(Adopt(*made, std::move(right)));
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
    ExpressionPtr made = Make(Kind::kUnary, "not");
    TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr inner, ParseNot());
    TERMINUS_RETURN_IF_ERROR(Adopt(*made, std::move(inner)));
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

  absl::StatusOr<ExpressionPtr> ParseComparison() {
    TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr left, ParseLeft({"+", "-"}, 0));
    std::string op = TakeComparison();
    if (op.empty()) return left;
    TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr right, ParseLeft({"+", "-"}, 0));
    // In Python a < b < c means a < b and b < c.
    if (!TakeComparison().empty()) return tokens_.Error("a chain of comparisons is not supported");
    return Binary(std::move(op), std::move(left), std::move(right));
  }

  // Left-associative operators: sums over concatenations over products over unary ones.
  absl::StatusOr<ExpressionPtr> ParseLeft(std::initializer_list<const char*> operators, int level) {
    const auto tighter = [&]() -> absl::StatusOr<ExpressionPtr> {
      if (level == 0) return ParseLeft({"~"}, 1);
      if (level == 1) return ParseLeft({"*", "/", "//", "%"}, 2);
      return ParseUnary();
    };
    TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr left, tighter());
    while (true) {
      std::string op;
      for (const char* known : operators) {
        if (op.empty() && tokens_.TakeOperator(known)) op = known;
      }
      if (op.empty()) return left;
      TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr right, tighter());
      TERMINUS_ASSIGN_OR_RETURN(left, Binary(std::move(op), std::move(left), std::move(right)));
    }
  }

  // A sign binds tighter than filters and tests: -1 | string is (-1) | string.
  absl::StatusOr<ExpressionPtr> ParseUnary(bool with_filters = true) {
    const TokenStream::Depth depth(tokens_);
    TERMINUS_RETURN_IF_ERROR(tokens_.CheckDepth());
    ExpressionPtr value;
    const char* const sign = tokens_.TakeOperator("-")   ? "-"
                             : tokens_.TakeOperator("+") ? "+"
                                                         : nullptr;
    if (sign != nullptr) {
      value = Make(Kind::kUnary, sign);
      TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr inner, ParseUnary(/*with_filters=*/false));
      TERMINUS_RETURN_IF_ERROR(Adopt(*value, std::move(inner)));
    } else {
      TERMINUS_ASSIGN_OR_RETURN(value, ParsePrimary());
    }
    TERMINUS_ASSIGN_OR_RETURN(value, ParsePostfix(std::move(value)));
    return with_filters ? ParseFilters(std::move(value)) : std::move(value);
  }

  absl::StatusOr<ExpressionPtr> ParsePrimary() {
    const Token token = tokens_.Peek();
    ExpressionPtr made = Make(Kind::kLiteral);
    switch (token.kind) {
      case Token::Kind::kString:
        tokens_.Take();
        made->value = Value(token.text);
        // Neighbours are one string, as in Python.
        while (tokens_.Peek().kind == Token::Kind::kString) {
          made->value = Value(*made->value.string() + tokens_.Take().text);
        }
        return made;
      case Token::Kind::kInteger: {
        int64_t value = 0;
        if (!absl::SimpleAtoi(token.text, &value)) return tokens_.Error("the number is too large");
        tokens_.Take();
        made->value = Value(value);
        return made;
      }
      case Token::Kind::kFloat: {
        double value = 0;
        if (!absl::SimpleAtod(token.text, &value)) return tokens_.Expected("a number");
        tokens_.Take();
        made->value = Value(value);
        return made;
      }
      case Token::Kind::kName:
        tokens_.Take();
        if (token.text == "true" || token.text == "True") {
          made->value = Value(true);
        } else if (token.text == "false" || token.text == "False") {
          made->value = Value(false);
        } else if (token.text == "none" || token.text == "None") {
          made->value = Value(Value::None());
        } else {
          made->kind = Kind::kName;
          made->text = token.text;
        }
        return made;
      default:
        break;
    }
    return ParseBrackets(std::move(made));
  }

  // ( … ), [ … ] or { … }.
  absl::StatusOr<ExpressionPtr> ParseBrackets(ExpressionPtr made) {
    if (tokens_.TakeOperator("(")) {
      TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr inner, ParseExpression());
      TERMINUS_RETURN_IF_ERROR(tokens_.ExpectOperator(")"));
      return inner;
    }
    const bool is_list = tokens_.TakeOperator("[");
    if (!is_list && !tokens_.TakeOperator("{")) return tokens_.Expected("an expression");
    made->kind = is_list ? Kind::kList : Kind::kDict;
    const char* const end = is_list ? "]" : "}";
    while (!tokens_.IsOperator(end)) {
      TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr element, ParseExpression());
      TERMINUS_RETURN_IF_ERROR(Adopt(*made, std::move(element)));
      if (!is_list) {
        TERMINUS_RETURN_IF_ERROR(tokens_.ExpectOperator(":"));
        TERMINUS_ASSIGN_OR_RETURN(element, ParseExpression());
        TERMINUS_RETURN_IF_ERROR(Adopt(*made, std::move(element)));
      }
      if (!tokens_.TakeOperator(",")) break;
    }
    TERMINUS_RETURN_IF_ERROR(tokens_.ExpectOperator(end));
    return made;
  }

  absl::StatusOr<ExpressionPtr> ParsePostfix(ExpressionPtr value) {
    while (true) {
      ExpressionPtr made;
      if (tokens_.TakeOperator(".")) {
        made = Make(Kind::kAttribute);
        TERMINUS_ASSIGN_OR_RETURN(made->text, tokens_.ExpectName("a name"));
        TERMINUS_RETURN_IF_ERROR(Adopt(*made, std::move(value)));
        if (tokens_.TakeOperator("(")) {
          made->kind = Kind::kCall;
          made->method = true;
          TERMINUS_RETURN_IF_ERROR(ParseArguments(*made));
        }
      } else if (tokens_.TakeOperator("[")) {
        TERMINUS_ASSIGN_OR_RETURN(made, ParseSubscript(std::move(value)));
      } else if (tokens_.IsOperator("(") && value->kind == Kind::kName) {
        tokens_.Take();
        made = Make(Kind::kCall, value->text);
        TERMINUS_RETURN_IF_ERROR(ParseArguments(*made));
      } else {
        return value;
      }
      value = std::move(made);
    }
  }

  absl::StatusOr<ExpressionPtr> ParseFilters(ExpressionPtr value) {
    while (true) {
      ExpressionPtr made;
      if (tokens_.TakeOperator("|")) {
        made = Make(Kind::kFilter);
        TERMINUS_ASSIGN_OR_RETURN(made->text, tokens_.ExpectName("a filter"));
        TERMINUS_RETURN_IF_ERROR(Adopt(*made, std::move(value)));
        if (tokens_.TakeOperator("(")) TERMINUS_RETURN_IF_ERROR(ParseArguments(*made));
      } else if (tokens_.TakeName("is")) {
        const bool negated = tokens_.TakeName("not");
        made = Make(Kind::kTest);
        TERMINUS_ASSIGN_OR_RETURN(made->text, tokens_.ExpectName("a test"));
        TERMINUS_RETURN_IF_ERROR(Adopt(*made, std::move(value)));
        if (tokens_.TakeOperator("(")) TERMINUS_RETURN_IF_ERROR(ParseArguments(*made));
        if (negated) {
          ExpressionPtr inverse = Make(Kind::kUnary, "not");
          TERMINUS_RETURN_IF_ERROR(Adopt(*inverse, std::move(made)));
          made = std::move(inverse);
        }
      } else {
        return value;
      }
      value = std::move(made);
    }
  }

  // Behind "(".
  absl::Status ParseArguments(Expression& call) {
    while (!tokens_.IsOperator(")")) {
      const bool named = tokens_.Peek().kind == Token::Kind::kName &&
                         tokens_.Peek(1).kind == Token::Kind::kOperator &&
                         tokens_.Peek(1).text == "=";
      std::string name;
      if (named) {
        name = tokens_.Take().text;
        tokens_.Take();
      }
      TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr value, ParseExpression());
      if (named) {
        call.depth = std::max(call.depth, value->depth + 1);
        call.named.emplace_back(std::move(name), std::move(value));
      } else {
        TERMINUS_RETURN_IF_ERROR(Adopt(call, std::move(value)));
      }
      if (!tokens_.TakeOperator(",")) break;
    }
    return tokens_.ExpectOperator(")");
  }

  // Behind "[": an index or a slice.
  absl::StatusOr<ExpressionPtr> ParseSubscript(ExpressionPtr value) {
    ExpressionPtr made = Make(Kind::kItem);
    TERMINUS_RETURN_IF_ERROR(Adopt(*made, std::move(value)));
    std::vector<ExpressionPtr> parts(1);
    while (!tokens_.IsOperator("]")) {
      if (tokens_.TakeOperator(":")) {
        parts.emplace_back();
        if (parts.size() > 3) return tokens_.Expected("']'");
      } else {
        if (parts.back() != nullptr) return tokens_.Expected("']' or ':'");
        TERMINUS_ASSIGN_OR_RETURN(parts.back(), ParseExpression());
      }
    }
    TERMINUS_RETURN_IF_ERROR(tokens_.ExpectOperator("]"));
    if (parts.size() == 1 && parts[0] == nullptr) return tokens_.Expected("an index");
    if (parts.size() > 1) {
      made->kind = Kind::kSlice;
      parts.resize(3);
    }
    for (ExpressionPtr& part : parts) {
      TERMINUS_RETURN_IF_ERROR(Adopt(*made, std::move(part)));
    }
    return made;
  }

  TokenStream& tokens_;
};

}  // namespace

absl::StatusOr<ExpressionPtr> ParseExpression(TokenStream& tokens) {
  return ExpressionParser(tokens).ParseExpression();
}

absl::StatusOr<ExpressionPtr> ParseUnconditional(TokenStream& tokens) {
  return ExpressionParser(tokens).ParseOr();
}

}  // namespace terminus::chat
