#include "common/chat/attributes.h"

#include <algorithm>
#include <initializer_list>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/chat/loop.h"
#include "common/chat/methods.h"
#include "common/chat/objects.h"
#include "common/chat/text_methods.h"

namespace terminus::chat {
namespace {

absl::Status Error(absl::string_view message) { return absl::InvalidArgumentError(message); }

bool IsOneOf(absl::string_view name, std::initializer_list<absl::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Value NoAttribute(const Value& value, absl::string_view name) {
  return Value::Undefined(absl::StrCat(value.TypeName(), " has no attribute '", name, "'"));
}

// Methods that Python has and we do not: what they give would differ.
bool IsUnsupportedMethod(const Value& value, absl::string_view name) {
  if (value.text() != nullptr) return IsOneOf(name, {"encode", "maketrans", "translate"});
  if (value.integer() != nullptr || value.boolean() != nullptr) {
    return IsOneOf(name, {"from_bytes", "to_bytes"});
  }
  if (value.number() != nullptr) {
    return IsOneOf(name, {"as_integer_ratio", "fromhex", "hex"});
  }
  return value.is_view() && IsOneOf(name, {"isdisjoint", "mapping"});
}

// Methods that change their value: the sandbox makes them undefined.
bool IsForbidden(const Value& value, absl::string_view name) {
  if (value.list() != nullptr) {
    return IsOneOf(name,
                   {"append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"});
  }
  return value.dict() != nullptr &&
         IsOneOf(name, {"clear", "pop", "popitem", "setdefault", "update"});
}

Value NumberAttribute(const Value& value, absl::string_view name) {
  const auto whole = IndexOf(value);
  if (name == "real") return whole ? Value(*whole) : value;
  if (name == "imag") return whole ? Value(int64_t{0}) : Value(0.0);
  if (whole && name == "numerator") return Value(*whole);
  if (whole && name == "denominator") return Value(int64_t{1});
  return NoAttribute(value, name);
}

absl::StatusOr<Value> MacroAttribute(const Value& value, const Macro& macro,
                                     absl::string_view name) {
  const MacroDefinition& definition = *macro.definition;
  List parameters;
  for (const ExpressionPtr& parameter : definition.parameters) {
    parameters.push_back(Value(parameter->text));
  }
  if (name == "name") {
    return definition.name.empty() ? Value(Value::None()) : Value(definition.name);
  }
  if (name == "arguments") return Value::Tuple(std::move(parameters));
  if (name == "catch_kwargs") return Value(definition.uses_named);
  if (name == "catch_varargs") return Value(definition.uses_more);
  if (name == "caller") return Value(definition.uses_caller);
  if (name == "explicit_caller") {
    return Value(std::find(parameters.begin(), parameters.end(), Value(std::string("caller"))) !=
                 parameters.end());
  }
  return NoAttribute(value, name);
}

absl::StatusOr<Value> ObjectAttribute(Context& context, const Value& value,
                                      absl::string_view name) {
  if (const auto* const space = As<Namespace>(value); space != nullptr) {
    const Value* const found = space->members.Find(name);
    return found != nullptr ? *found : NoAttribute(value, name);
  }
  if (auto* const loop = As<Loop>(value); loop != nullptr) return loop->Attribute(context, name);
  if (const auto* const macro = As<Macro>(value); macro != nullptr) {
    return MacroAttribute(value, *macro, name);
  }
  if (const auto* const cycler = As<Cycler>(value); cycler != nullptr) {
    if (name == "items") return Value::Tuple(cycler->items);
    if (name == "pos") return Value(static_cast<int64_t>(cycler->index));
    if (name == "current") return cycler->items[cycler->index];
    return NoAttribute(value, name);
  }
  if (const auto* const joiner = As<Joiner>(value); joiner != nullptr) {
    if (name == "sep") return joiner->separator;
    if (name == "used") return Value(joiner->used);
    return NoAttribute(value, name);
  }
  // Functions have only attributes with underscores; generators and classes have a few others.
  const auto* const function = As<Function>(value);
  const bool is_class =
      function != nullptr && (function->name == "cycler" || function->name == "joiner");
  const bool is_generator = As<Iterator>(value) != nullptr;
  const bool known =
      is_generator && (IsOneOf(name, {"close", "send", "throw"}) || absl::StartsWith(name, "gi_"));
  if (!is_class && !known && !absl::StartsWith(name, "__")) return NoAttribute(value, name);
  return Error(absl::StrCat("the attribute '", name, "' of a function is not supported"));
}

}  // namespace

bool HasMethod(const Value& value, absl::string_view name) {
  if (value.text() != nullptr) return IsTextMethod(name);
  return HasOtherMethod(value, name);
}

absl::StatusOr<Value> CallMethod(Context& context, const Value& value, absl::string_view name,
                                 const Arguments& arguments) {
  if (value.text() != nullptr) return CallTextMethod(context, name, *value.text(), arguments);
  return CallOtherMethod(context, value, name, arguments);
}

absl::StatusOr<Value> AttributeOf(Context& context, const Value& value, absl::string_view name) {
  if (value.is_undefined()) return Error(value.WhyUndefined());
  if (HasMethod(value, name)) {
    TERMINUS_ASSIGN_OR_RETURN(Method* const method, context.Make<Method>(value, std::string(name)));
    return Value(method);
  }
  if (IsForbidden(value, name)) {
    return Value::Undefined(
        absl::StrCat("'", name, "' would change ", value.TypeName(), ", which is not allowed"));
  }
  if (IsUnsupportedMethod(value, name)) {
    return Error(absl::StrCat("'", name, "' of ", value.TypeName(), " is not supported"));
  }
  if (const Dict* const dict = value.dict(); dict != nullptr) {
    const Value* const found = dict->Find(name);
    if (found == nullptr) return NoAttribute(value, name);
    // Some of these are attributes of every Python object.
    if (absl::StartsWith(name, "__")) {
      return Error(absl::StrCat("the attribute '", name, "' is not supported"));
    }
    return *found;
  }
  if (value.object() != nullptr) return ObjectAttribute(context, value, name);
  if (value.is_group() && name == "grouper") return (*value.tuple())[0];
  if (value.is_group() && name == "list") return (*value.tuple())[1];
  if (const Range* const range = value.range(); range != nullptr) {
    if (name == "start") return Value(range->begin);
    if (name == "stop") return Value(range->end);
    if (name == "step") return Value(range->step);
  }
  if (IndexOf(value) || value.number() != nullptr) return NumberAttribute(value, name);
  return NoAttribute(value, name);
}

bool IsKnownMethod(absl::string_view name) {
  return IsTextMethod(name) || IsOtherMethod(name) ||
         // Forbidden ones: an error of the template, not of what is supported.
         IsOneOf(name, {"append", "clear", "extend", "insert", "pop", "popitem", "remove",
                        "reverse", "setdefault", "sort", "update"});
}

}  // namespace terminus::chat
