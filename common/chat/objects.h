#pragma once

#include <functional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "common/chat/ast.h"
#include "common/chat/context.h"

// The kinds of Object.
namespace terminus::chat {

// The object as a T, or null.
template <typename T>
T* As(const Value& value) {
  Object* const object = value.object();
  return object != nullptr && object->kind() == T::kKind ? static_cast<T*>(object) : nullptr;
}

struct Namespace final : Object {
  static constexpr Kind kKind = Kind::kNamespace;
  explicit Namespace(Dict all) : Object(kKind), members(std::move(all)) {}
  Dict members;
};

// A Python generator or iterator: goes through its elements once, and computes each only when it is
// asked for.
struct Iterator final : Object {
  static constexpr Kind kKind = Kind::kIterator;
  // `next` sets the value and returns true, or returns false at the end.
  using Next = std::function<absl::StatusOr<bool>(Value&)>;
  Iterator(Next function, int chain) : Object(kKind), next(std::move(function)), depth(chain) {}
  Next next;
  // How many iterators it goes through to get an element.
  int depth;
};

// The variables of one frame (scopes.h) while it runs.
struct Scope;

struct Macro final : Object {
  static constexpr Kind kKind = Kind::kMacro;
  Macro(const MacroDefinition* parsed, Scope* around)
      : Object(kKind), definition(parsed), scope(around) {}
  const MacroDefinition* definition;
  Scope* scope;
};

// A method of a value: value.name without a call.
struct Method final : Object {
  static constexpr Kind kKind = Kind::kMethod;
  Method(Value value, std::string method)
      : Object(kKind), self(std::move(value)), name(std::move(method)) {}
  Value self;
  std::string name;
};

// A function that every template knows, as range.
struct Function final : Object {
  static constexpr Kind kKind = Kind::kFunction;
  explicit Function(std::string function) : Object(kKind), name(std::move(function)) {}
  std::string name;
};

struct Cycler final : Object {
  static constexpr Kind kKind = Kind::kCycler;
  explicit Cycler(List all) : Object(kKind), items(std::move(all)) {}
  List items;
  size_t index = 0;
};

struct Joiner final : Object {
  static constexpr Kind kKind = Kind::kJoiner;
  explicit Joiner(Value between) : Object(kKind), separator(std::move(between)) {}
  Value separator;
  bool used = false;
};

}  // namespace terminus::chat
