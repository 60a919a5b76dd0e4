#include "common/chat/builtins.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "common/base/status_macros.h"

namespace terminus::chat {
namespace {

absl::Status Error(absl::string_view message) { return absl::InvalidArgumentError(message); }

absl::Status Mismatch(const std::string& op, const Value& left, const Value& right) {
  return Error(
      absl::StrCat("'", op, "' does not work on ", left.TypeName(), " and ", right.TypeName()));
}

const std::string* StringAt(const Arguments& arguments, size_t i) {
  return i < arguments.size() ? arguments[i].string() : nullptr;
}

absl::StatusOr<Value> DictMethod(const std::string& name, const Dict& dict,
                                 const Arguments& arguments) {
  if (name == "get") {
    const std::string* key = StringAt(arguments, 0);
    if (key == nullptr) return Error("get: expected a string");
    const Value* const found = dict.Find(*key);
    if (found != nullptr) return *found;
    return arguments.size() > 1 ? arguments[1] : Value(Value::None());
  }
  if (name != "items" && name != "keys" && name != "values") {
    return Error(absl::StrCat("a dict has no supported method '", name, "'"));
  }
  List list;
  for (const auto& [key, value] : dict.entries()) {
    if (name == "items") {
      list.push_back(Value(List{Value(key), value}));
    } else {
      list.push_back(name == "keys" ? Value(key) : value);
    }
  }
  return Value(std::move(list));
}

absl::optional<double> NumberOf(const Value& value) {
  if (value.integer() != nullptr) return static_cast<double>(*value.integer());
  if (value.number() != nullptr) return *value.number();
  if (value.boolean() != nullptr) return *value.boolean() ? 1 : 0;
  return absl::nullopt;
}

absl::StatusOr<bool> Contains(const Value& container, const Value& value) {
  if (const List* list = container.list(); list != nullptr) {
    return std::find(list->begin(), list->end(), value) != list->end();
  }
  if (value.string() != nullptr) {
    if (container.string() != nullptr) {
      return absl::StrContains(*container.string(), *value.string());
    }
    if (container.dict() != nullptr) return container.dict()->Find(*value.string()) != nullptr;
  }
  if (container.is_undefined()) return false;
  return Error(absl::StrCat("'in' does not work on ", container.TypeName()));
}

absl::optional<int64_t> IntegerOf(const Value& value) {
  if (value.integer() != nullptr) return *value.integer();
  if (value.boolean() != nullptr) return *value.boolean() ? 1 : 0;
  return absl::nullopt;
}

// Nothing on overflow. `b` is not 0 where it divides.
absl::optional<int64_t> WholeArithmetic(char op, bool floored, int64_t a, int64_t b) {
  int64_t result = 0;
  bool overflow = false;
  if (op == '+') {
    overflow = __builtin_add_overflow(a, b, &result);
  } else if (op == '-') {
    overflow = __builtin_sub_overflow(a, b, &result);
  } else if (op == '*') {
    overflow = __builtin_mul_overflow(a, b, &result);
  } else if (b == -1) {
    // The one division that can overflow.
    overflow = floored && __builtin_sub_overflow(0, a, &result);
  } else {
    // Rounded towards minus infinity, as Python does it.
    const int64_t down = a % b != 0 && (a < 0) != (b < 0) ? 1 : 0;
    result = floored ? a / b - down : a % b + down * b;
  }
  return overflow ? absl::nullopt : absl::make_optional(result);
}

absl::StatusOr<Value> Arithmetic(const std::string& op, const Value& left, const Value& right) {
  const auto a = NumberOf(left);
  const auto b = NumberOf(right);
  if (!a || !b || op == "**") return Mismatch(op, left, right);
  if ((op == "/" || op == "//" || op == "%") && *b == 0) return Error("division by zero");
  const auto whole_a = IntegerOf(left);
  const auto whole_b = IntegerOf(right);
  if (whole_a && whole_b && op != "/") {
    const auto result = WholeArithmetic(op[0], op == "//", *whole_a, *whole_b);
    if (!result) return Error("a number is too large");
    return Value(*result);
  }
  if (op == "+") return Value(*a + *b);
  if (op == "-") return Value(*a - *b);
  if (op == "*") return Value(*a * *b);
  if (op == "/") return Value(*a / *b);
  if (op == "//") return Value(std::floor(*a / *b));
  return Value(*a - *b * std::floor(*a / *b));
}

// The whole number in a number or a text; 0 where there is none, as Jinja's filter has it.
absl::StatusOr<Value> Whole(const Value& value) {
  if (value.string() != nullptr) {
    int64_t number = 0;
    return Value(absl::SimpleAtoi(*value.string(), &number) ? number : int64_t{0});
  }
  if (const auto integer = IntegerOf(value); integer) return Value(*integer);
  if (value.number() == nullptr) return Value(int64_t{0});
  if (!(std::abs(*value.number()) < 9e18)) return Error("int: a number is too large");
  return Value(static_cast<int64_t>(*value.number()));
}

absl::StatusOr<Value> FirstOrLast(bool first, const Value& value) {
  if (const List* list = value.list(); list != nullptr) {
    if (list->empty()) return Value();
    return first ? list->front() : list->back();
  }
  return ItemOf(value, Value(int64_t{first ? 0 : -1}));
}

absl::StatusOr<Value> LengthOf(const Value& value) {
  if (value.is_undefined()) return Value(int64_t{0});
  if (value.string() != nullptr) return Value(CountCharacters(*value.string()));
  if (value.list() != nullptr) return Value(static_cast<int64_t>(value.list()->size()));
  if (value.dict() != nullptr) return Value(static_cast<int64_t>(value.dict()->entries().size()));
  return Error(absl::StrCat("length does not work on ", value.TypeName()));
}

}  // namespace

absl::StatusOr<Value> ApplyFilter(const std::string& name, const Value& value,
                                  const Arguments& arguments) {
  const List* list = value.list();
  if (name == "default" || name == "d") {
    const bool also_false = arguments.size() > 1 && arguments[1].Truthy();
    const bool keep = also_false ? value.Truthy() : !value.is_undefined();
    return keep ? value : arguments.empty() ? Value(std::string()) : arguments[0];
  }
  if (name == "trim") return CallTextMethod("strip", value.ToText(), arguments);
  if (name == "title") return Value(TitleOfFilter(value.ToText()));
  if (name == "upper" || name == "lower" || name == "capitalize" || name == "replace") {
    return CallTextMethod(name, value.ToText(), arguments);
  }
  if (name == "join" && (list != nullptr || value.is_undefined())) {
    const std::string* separator = StringAt(arguments, 0);
    if (!arguments.empty() && separator == nullptr) return Error("join: expected a string");
    return Joined(list != nullptr ? *list : List{}, separator != nullptr ? *separator : "");
  }
  if (!arguments.empty()) return Error(absl::StrCat(name, ": arguments are not supported"));
  if (name == "tojson" && !value.is_undefined() && value.namespace_members() == nullptr) {
    return Value(value.ToJson());
  }
  if (name == "string") return Value(value.ToText());
  if (name == "safe") return value;
  if (name == "length" || name == "count") return LengthOf(value);
  if ((name == "first" || name == "last") && (list != nullptr || value.string() != nullptr)) {
    return FirstOrLast(name == "first", value);
  }
  if (name == "list" && list != nullptr) return value;
  if (name == "items" && value.dict() != nullptr) return DictMethod("items", *value.dict(), {});
  if (name == "int") return Whole(value);
  return Error(absl::StrCat("the filter '", name, "' is not supported on ", value.TypeName()));
}

absl::StatusOr<bool> ApplyTest(const std::string& name, const Value& value,
                               const Arguments& arguments) {
  if (name == "defined") return !value.is_undefined();
  if (name == "undefined") return value.is_undefined();
  if (name == "none") return value.is_none();
  if (name == "string") return value.string() != nullptr;
  if (name == "mapping") return value.dict() != nullptr;
  if (name == "boolean") return value.boolean() != nullptr;
  if (name == "integer") return value.integer() != nullptr;
  if (name == "number") return NumberOf(value).has_value();
  if (name == "true") return value.boolean() != nullptr && *value.boolean();
  if (name == "false") return value.boolean() != nullptr && !*value.boolean();
  if (name == "iterable" || name == "sequence") {
    return value.list() != nullptr || value.string() != nullptr || value.dict() != nullptr ||
           value.is_undefined();
  }
  if ((name == "equalto" || name == "eq") && arguments.size() == 1) return value == arguments[0];
  if (name == "in" && arguments.size() == 1) return Contains(arguments[0], value);
  if (value.integer() != nullptr) {
    if (name == "odd") return *value.integer() % 2 != 0;
    if (name == "even") return *value.integer() % 2 == 0;
  }
  return Error(absl::StrCat("the test '", name, "' is not supported on ", value.TypeName()));
}

absl::StatusOr<Value> CallMethod(const std::string& name, const Value& value,
                                 const Arguments& arguments) {
  if (value.string() != nullptr) return CallTextMethod(name, *value.string(), arguments);
  if (value.dict() != nullptr) return DictMethod(name, *value.dict(), arguments);
  return Error(absl::StrCat(value.TypeName(), " has no supported method '", name, "'"));
}

absl::StatusOr<Value> ApplyBinary(const std::string& op, const Value& left, const Value& right) {
  if (op == "==") return Value(left == right);
  if (op == "!=") return Value(!(left == right));
  if (op == "~") return Joined({left, right}, "");
  if (op == "in" || op == "not in") {
    const absl::StatusOr<bool> found = Contains(right, left);
    if (!found.ok()) return found.status();
    return Value(*found == (op == "in"));
  }
  if (op == "+") {
    if (left.string() != nullptr && right.string() != nullptr) {
      return Joined({left, right}, "");
    }
    if (left.list() != nullptr && right.list() != nullptr) {
      List joined = *left.list();
      joined.insert(joined.end(), right.list()->begin(), right.list()->end());
      return Value(std::move(joined));
    }
  }
  if (op == "*" && (left.string() != nullptr) != (right.string() != nullptr)) {
    const Value& text = left.string() != nullptr ? left : right;
    const auto times = IntegerOf(left.string() != nullptr ? right : left);
    if (!times) return Mismatch(op, left, right);
    return Repeated(*text.string(), *times);
  }
  if (op == "<" || op == ">" || op == "<=" || op == ">=") {
    int order = 0;
    if (left.string() != nullptr && right.string() != nullptr) {
      order = left.string()->compare(*right.string());
    } else if (const auto a = NumberOf(left), b = NumberOf(right); a && b) {
      order = *a < *b ? -1 : *a > *b;
    } else {
      return Mismatch(op, left, right);
    }
    const bool holds = op[0] == '<' ? order < 0 : order > 0;
    return Value(holds || (op.size() == 2 && order == 0));
  }
  return Arithmetic(op, left, right);
}

Value ItemOf(const Value& value, const Value& index) {
  const Dict* const dict = value.dict() != nullptr ? value.dict() : value.namespace_members();
  if (dict != nullptr && index.string() != nullptr) {
    const Value* const found = dict->Find(*index.string());
    return found == nullptr ? Value() : *found;
  }
  if (index.integer() == nullptr) return Value();
  const auto place = [&](int64_t size) {
    return *index.integer() < 0 ? *index.integer() + size : *index.integer();
  };
  if (const List* list = value.list(); list != nullptr) {
    const int64_t at = place(static_cast<int64_t>(list->size()));
    return at >= 0 && at < static_cast<int64_t>(list->size()) ? (*list)[at] : Value();
  }
  if (value.string() != nullptr) {
    const auto characters = Characters(*value.string());
    const int64_t at = place(static_cast<int64_t>(characters.size()));
    return at >= 0 && at < static_cast<int64_t>(characters.size()) ? Value(characters[at])
                                                                   : Value();
  }
  return Value();
}

absl::StatusOr<Value> SliceOf(const Value& value, const Value& begin, const Value& end,
                              const Value& step) {
  List elements;
  if (value.list() != nullptr) {
    elements = *value.list();
  } else if (value.string() != nullptr) {
    for (std::string& character : Characters(*value.string())) {
      elements.push_back(Value(std::move(character)));
    }
  } else {
    return Error(absl::StrCat(value.TypeName(), " cannot be sliced"));
  }
  const auto size = static_cast<int64_t>(elements.size());
  for (const Value* bound : {&begin, &end, &step}) {
    if (bound->integer() == nullptr && !bound->is_undefined() && !bound->is_none()) {
      return Error("a slice takes whole numbers");
    }
  }
  // A longer step goes no further.
  const int64_t stride =
      step.integer() != nullptr ? std::clamp<int64_t>(*step.integer(), -size - 1, size + 1) : 1;
  if (stride == 0) return Error("a slice with a step of 0");
  const auto bound = [&](const Value& given, int64_t otherwise) {
    if (given.integer() == nullptr) return otherwise;
    const int64_t at = *given.integer() < 0 ? *given.integer() + size : *given.integer();
    return stride > 0 ? std::clamp<int64_t>(at, 0, size) : std::clamp<int64_t>(at, -1, size - 1);
  };
  const int64_t first = bound(begin, stride > 0 ? 0 : size - 1);
  const int64_t last = bound(end, stride > 0 ? size : -1);
  List kept;
  for (int64_t i = first; stride > 0 ? i < last : i > last; i += stride) {
    kept.push_back(elements[i]);
  }
  if (value.list() != nullptr) return Value(std::move(kept));
  std::string text;
  for (const Value& character : kept) text += *character.string();
  return Value(std::move(text));
}

}  // namespace terminus::chat
