#include "common/chat/value_tests.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/chat/filters.h"
#include "common/chat/iteration.h"
#include "common/chat/numbers.h"
#include "common/chat/objects.h"
#include "common/chat/operators.h"
#include "common/chat/represent.h"
#include "common/chat/text_methods.h"

namespace terminus::chat {
namespace {

absl::Status Error(absl::string_view message) { return absl::InvalidArgumentError(message); }

// Tests without arguments that only look at the value's kind.
using Simple = bool (*)(const Value&);

bool IsBoolean(const Value& value) { return value.boolean() != nullptr; }
bool IsNumber(const Value& value) { return FloatOf(value).has_value(); }

bool IsSequence(const Value& value) {
  // What has a length and elements to get by an index.
  return value.is_undefined() || value.text() != nullptr || value.elements() != nullptr ||
         value.dict() != nullptr || value.range() != nullptr;
}

bool IsCallable(const Value& value) {
  if (value.is_undefined()) return true;
  if (value.object() == nullptr) return false;
  const Object::Kind kind = value.object()->kind();
  return kind == Object::Kind::kMacro || kind == Object::Kind::kMethod ||
         kind == Object::Kind::kFunction || kind == Object::Kind::kJoiner ||
         kind == Object::Kind::kLoop;
}

const std::map<absl::string_view, Simple>& SimpleTests() {
  static const auto& tests = *new std::map<absl::string_view, Simple>{
      {"boolean", IsBoolean},
      {"callable", IsCallable},
      {"defined", [](const Value& value) { return !value.is_undefined(); }},
      {"escaped", [](const Value& value) { return value.text() != nullptr && value.text()->safe; }},
      {"false", [](const Value& value) { return IsBoolean(value) && !*value.boolean(); }},
      {"float", [](const Value& value) { return value.number() != nullptr; }},
      {"integer", [](const Value& value) { return value.integer() != nullptr; }},
      {"iterable", IsIterable},
      {"mapping", [](const Value& value) { return value.dict() != nullptr; }},
      {"none", [](const Value& value) { return value.is_none(); }},
      {"number", IsNumber},
      {"sequence", IsSequence},
      {"string", [](const Value& value) { return value.text() != nullptr; }},
      {"true", [](const Value& value) { return IsBoolean(value) && *value.boolean(); }},
      {"undefined", [](const Value& value) { return value.is_undefined(); }},
  };
  return tests;
}

// Tests that are an operator.
const std::map<absl::string_view, absl::string_view>& OperatorTests() {
  static const auto& tests = *new std::map<absl::string_view, absl::string_view>{
      {"!=", "!="}, {"<", "<"},           {"<=", "<="}, {"==", "=="},
      {">", ">"},   {">=", ">="},         {"eq", "=="}, {"equalto", "=="},
      {"ge", ">="}, {"greaterthan", ">"}, {"gt", ">"},  {"in", "in"},
      {"le", "<="}, {"lessthan", "<"},    {"lt", "<"},  {"ne", "!="},
  };
  return tests;
}

absl::StatusOr<bool> Remainder(Context& context, const Value& value, const Value& by,
                               int64_t expected) {
  TERMINUS_ASSIGN_OR_RETURN(const Value rest, ApplyBinary(context, "%", value, by));
  return rest == Value(expected);
}

absl::StatusOr<bool> HasCase(Context& context, absl::string_view method, const Value& value) {
  TERMINUS_ASSIGN_OR_RETURN(const Text text, TextOf(context, value));
  TERMINUS_ASSIGN_OR_RETURN(const Value holds, CallTextMethod(context, method, text, {}));
  return holds.Truthy();
}

}  // namespace

bool IsTest(absl::string_view name) {
  return SimpleTests().count(name) > 0 || OperatorTests().count(name) > 0 ||
         name == "divisibleby" || name == "even" || name == "filter" || name == "lower" ||
         name == "odd" || name == "sameas" || name == "test" || name == "upper";
}

absl::StatusOr<bool> ApplyTest(Context& context, absl::string_view name, const Value& value,
                               const Arguments& arguments) {
  TERMINUS_RETURN_IF_ERROR(context.Step());
  if (const auto found = OperatorTests().find(name); found != OperatorTests().end()) {
    TERMINUS_ASSIGN_OR_RETURN(const Bound bound,
                              Bound::Make(name, arguments, {"other"}, 1, name == "in" ? 0 : 1));
    return Compare(context, found->second, value, bound.at(0));
  }
  if (name == "divisibleby") {
    TERMINUS_ASSIGN_OR_RETURN(const Bound bound, Bound::Make(name, arguments, {"num"}, 1));
    return Remainder(context, value, bound.at(0), 0);
  }
  if (name == "sameas") {
    TERMINUS_ASSIGN_OR_RETURN(const Bound bound, Bound::Make(name, arguments, {"other"}, 1));
    return value.Is(bound.at(0));
  }
  TERMINUS_RETURN_IF_ERROR(Bound::Make(name, arguments, {}, 0).status());
  if (const auto found = SimpleTests().find(name); found != SimpleTests().end()) {
    return found->second(value);
  }
  if (name == "even" || name == "odd") {
    return Remainder(context, value, Value(int64_t{2}), name == "odd" ? 1 : 0);
  }
  if (name == "lower") return HasCase(context, "islower", value);
  if (name == "upper") return HasCase(context, "isupper", value);
  if (name == "filter" || name == "test") {
    // Whether a name is in a table: what cannot be a key is an error.
    TERMINUS_RETURN_IF_ERROR(HashKey(value).status());
    if (value.text() == nullptr) return false;
    return name == "filter" ? IsJinjaFilter(value.text()->bytes) : IsTest(value.text()->bytes);
  }
  return Error(absl::StrCat("the test '", name, "' is not supported"));
}

}  // namespace terminus::chat
