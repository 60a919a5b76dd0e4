#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/chat/attributes.h"
#include "common/chat/evaluation.h"
#include "common/chat/filters.h"
#include "common/chat/numbers.h"
#include "common/chat/operators.h"
#include "common/chat/value_tests.h"

namespace terminus::chat {

using Kind = Expression::Kind;

absl::StatusOr<Value> Evaluation::Compute(const Expression& expression, Scope& scope) {
  const Depth depth(*this);
  absl::Status status = depth.Check();
  if (status.ok()) status = context_.Step();
  if (!status.ok()) return At(expression.line, status);
  absl::StatusOr<Value> value = Dispatch(expression, scope);
  // A value that existed before was charged when it was made.
  const bool made = expression.kind != Kind::kLiteral && expression.kind != Kind::kName &&
                    expression.kind != Kind::kAttribute && expression.kind != Kind::kItem;
  status = value.status();
  if (status.ok() && made) status = context_.Charge(*value);
  if (!status.ok()) return At(expression.line, status);
  return value;
}

absl::StatusOr<Value> Evaluation::Dispatch(const Expression& expression, Scope& scope) {
  switch (expression.kind) {
    case Kind::kLiteral:
      return expression.value;
    case Kind::kName:
      return ComputeName(expression, scope);
    case Kind::kList: {
      TERMINUS_ASSIGN_OR_RETURN(List elements, ComputeAll(expression.children, scope));
      return Value(std::move(elements));
    }
    case Kind::kTuple: {
      TERMINUS_ASSIGN_OR_RETURN(List elements, ComputeAll(expression.children, scope));
      return Value::Tuple(std::move(elements));
    }
    case Kind::kDict:
      return ComputeDict(expression, scope);
    case Kind::kAttribute: {
      TERMINUS_ASSIGN_OR_RETURN(const Value subject, Compute(*expression.children[0], scope));
      return AttributeOf(context_, subject, expression.text);
    }
    case Kind::kItem:
      return ComputeItem(expression, scope);
    case Kind::kSlice:
      return ComputeSlice(expression, scope);
    case Kind::kCall:
      return ComputeCall(expression, nullptr, scope);
    case Kind::kFilter:
      return ComputeFilter(expression, scope);
    case Kind::kTest:
      return ComputeTest(expression, scope);
    case Kind::kUnary:
      return ComputeUnary(expression, scope);
    case Kind::kBinary:
      return ComputeBinary(expression, scope);
    case Kind::kConcatenation: {
      TERMINUS_ASSIGN_OR_RETURN(const List values, ComputeAll(expression.children, scope));
      return ConcatenateTexts(context_, values);
    }
    case Kind::kComparison:
      return ComputeComparison(expression, scope);
    case Kind::kCondition:
      return ComputeCondition(expression, scope);
    case Kind::kMember:
      break;
  }
  return absl::InternalError("an expression that only stands in targets");
}

absl::StatusOr<List> Evaluation::ComputeAll(const std::vector<ExpressionPtr>& expressions,
                                            Scope& scope) {
  List values;
  values.reserve(expressions.size());
  for (const ExpressionPtr& expression : expressions) {
    TERMINUS_ASSIGN_OR_RETURN(values.emplace_back(), Compute(*expression, scope));
  }
  return values;
}

absl::StatusOr<Value> Evaluation::ComputeName(const Expression& expression, Scope& scope) {
  const absl::optional<Value>& value = SlotOf(scope, expression.variable);
  if (value.has_value()) return *value;
  return Value::Undefined(absl::StrCat("'", expression.text, "' is undefined"));
}

absl::StatusOr<Value> Evaluation::ComputeDict(const Expression& expression, Scope& scope) {
  Dict dict;
  for (size_t i = 0; i + 1 < expression.children.size(); i += 2) {
    TERMINUS_ASSIGN_OR_RETURN(const Value key, Compute(*expression.children[i], scope));
    TERMINUS_ASSIGN_OR_RETURN(Value value, Compute(*expression.children[i + 1], scope));
    TERMINUS_RETURN_IF_ERROR(dict.Set(key, std::move(value)));
  }
  return Value(std::move(dict));
}

absl::StatusOr<Value> Evaluation::ComputeItem(const Expression& expression, Scope& scope) {
  TERMINUS_ASSIGN_OR_RETURN(const Value subject, Compute(*expression.children[0], scope));
  TERMINUS_ASSIGN_OR_RETURN(const Value index, Compute(*expression.children[1], scope));
  return ItemOf(context_, subject, index);
}

absl::StatusOr<Value> Evaluation::ComputeSlice(const Expression& expression, Scope& scope) {
  TERMINUS_ASSIGN_OR_RETURN(const Value subject, Compute(*expression.children[0], scope));
  Value bounds[3];
  for (size_t i = 0; i < 3; ++i) {
    bounds[i] = Value(Value::None());
    if (expression.children[i + 1] != nullptr) {
      TERMINUS_ASSIGN_OR_RETURN(bounds[i], Compute(*expression.children[i + 1], scope));
    }
  }
  return SliceOf(context_, subject, bounds[0], bounds[1], bounds[2]);
}

absl::StatusOr<Value> Evaluation::ComputeFilter(const Expression& expression, Scope& scope) {
  Value value;
  if (expression.children[0] != nullptr) {
    TERMINUS_ASSIGN_OR_RETURN(value, Compute(*expression.children[0], scope));
  } else {
    value = *captured_;
  }
  TERMINUS_ASSIGN_OR_RETURN(const Arguments arguments, ComputeArguments(expression, scope));
  return ApplyFilter(context_, expression.text, value, arguments);
}

absl::StatusOr<Value> Evaluation::ComputeTest(const Expression& expression, Scope& scope) {
  TERMINUS_ASSIGN_OR_RETURN(const Value value, Compute(*expression.children[0], scope));
  TERMINUS_ASSIGN_OR_RETURN(const Arguments arguments, ComputeArguments(expression, scope));
  TERMINUS_ASSIGN_OR_RETURN(const bool holds,
                            ApplyTest(context_, expression.text, value, arguments));
  return Value(holds);
}

absl::StatusOr<Value> Evaluation::ComputeUnary(const Expression& expression, Scope& scope) {
  TERMINUS_ASSIGN_OR_RETURN(const Value value, Compute(*expression.children[0], scope));
  if (expression.text == "not") return Value(!value.Truthy());
  if (value.is_undefined()) return absl::InvalidArgumentError(value.WhyUndefined());
  return Signed(expression.text, value);
}

absl::StatusOr<Value> Evaluation::ComputeBinary(const Expression& expression, Scope& scope) {
  TERMINUS_ASSIGN_OR_RETURN(Value left, Compute(*expression.children[0], scope));
  if (expression.text == "and" || expression.text == "or") {
    if (left.Truthy() == (expression.text == "or")) return left;
    return Compute(*expression.children[1], scope);
  }
  TERMINUS_ASSIGN_OR_RETURN(const Value right, Compute(*expression.children[1], scope));
  return ApplyBinary(context_, expression.text, left, right);
}

// a < b < c: each operand is computed once, and the first comparison that fails ends the chain.
absl::StatusOr<Value> Evaluation::ComputeComparison(const Expression& expression, Scope& scope) {
  TERMINUS_ASSIGN_OR_RETURN(Value left, Compute(*expression.children[0], scope));
  for (size_t i = 0; i < expression.operators.size(); ++i) {
    TERMINUS_ASSIGN_OR_RETURN(Value right, Compute(*expression.children[i + 1], scope));
    TERMINUS_ASSIGN_OR_RETURN(const bool holds,
                              Compare(context_, expression.operators[i], left, right));
    if (!holds) return Value(false);
    left = std::move(right);
  }
  return Value(true);
}

absl::StatusOr<Value> Evaluation::ComputeCondition(const Expression& expression, Scope& scope) {
  TERMINUS_ASSIGN_OR_RETURN(const Value holds, Compute(*expression.children[1], scope));
  if (holds.Truthy()) return Compute(*expression.children[0], scope);
  if (expression.children[2] != nullptr) return Compute(*expression.children[2], scope);
  return Value::Undefined("the condition is false and there is no else");
}

}  // namespace terminus::chat
