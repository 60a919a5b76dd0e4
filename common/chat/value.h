#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/chat/text.h"

namespace terminus::chat {

// The most that a value may weigh (Value::weight): bytes of text, or of all that is in a list.
inline constexpr size_t kMaxWeight = 16 << 20;
// How deep lists and dicts may lie inside each other.
inline constexpr int kMaxValueDepth = 32;

class Value;
class Object;
using List = std::vector<Value>;

// A Python dict: keys and values in the order in which the keys first came. A key is any value that
// Python can hash.
class Dict {
 public:
  Dict() = default;
  Dict(std::initializer_list<std::pair<absl::string_view, Value>> entries);

  // Null when there is no such key. INVALID_ARGUMENT for a key that Python cannot hash.
  absl::StatusOr<const Value*> Find(const Value& key) const;
  const Value* Find(absl::string_view key) const;
  absl::Status Set(Value key, Value value);
  void Set(absl::string_view key, Value value);

  const std::vector<std::pair<Value, Value>>& entries() const { return entries_; }

 private:
  std::vector<std::pair<Value, Value>> entries_;
  std::unordered_map<std::string, size_t> places_;  // HashKey to the index in entries_
};

// range(begin, end, step); step is not 0.
struct Range {
  int64_t begin = 0;
  int64_t end = 0;
  int64_t step = 1;

  int64_t size() const;
  int64_t at(int64_t index) const { return begin + index * step; }
};

// A value of the template language, which is Python's: cheap to copy. Lists, tuples and dicts do
// not change after they were made, as the sandbox of the reference has it. What changes is an
// Object, which the run that made it owns.
class Value {
 public:
  struct None {
    bool operator==(const None&) const { return true; }
  };
  // d.keys(), d.values() or d.items().
  enum class ViewKind { kKeys, kValues, kItems };

  Value() = default;  // undefined
  explicit Value(None) : data_(None()) {}
  explicit Value(bool value) : data_(value) {}
  explicit Value(int64_t value) : data_(value) {}
  explicit Value(double value) : data_(value) {}
  explicit Value(Text value) : data_(std::make_shared<const Text>(std::move(value))) {}
  explicit Value(std::string value) : Value(Text(std::move(value))) {}
  explicit Value(List list);
  explicit Value(Dict dict);
  explicit Value(Range range) : data_(std::make_shared<const Range>(range)) {}
  explicit Value(Object* object) : data_(object) {}
  // Undefined, and what to say when it is used.
  static Value Undefined(std::string why);
  static Value Tuple(List elements);
  // What groupby yields: a tuple whose elements also have the names grouper and list.
  static Value Group(Value grouper, Value list);
  // Requires: `dict` is a dict.
  static Value View(const Value& dict, ViewKind kind);

  bool is_undefined() const { return std::holds_alternative<UndefinedData>(data_); }
  bool is_none() const { return std::holds_alternative<None>(data_); }
  // Null when it is of another type.
  const bool* boolean() const { return std::get_if<bool>(&data_); }
  const int64_t* integer() const { return std::get_if<int64_t>(&data_); }
  const double* number() const { return std::get_if<double>(&data_); }
  const Text* text() const;
  const List* list() const;
  const List* tuple() const;
  // The elements of a list or tuple; null for other values.
  const List* elements() const { return list() != nullptr ? list() : tuple(); }
  bool is_group() const;
  // Null for other values than a dict, a view of one included.
  const Dict* dict() const;
  const Range* range() const;
  Object* object() const;
  // Null unless it is a view; `kind` is set then.
  const Dict* view(ViewKind& kind) const;
  bool is_view() const { return std::holds_alternative<ViewData>(data_); }

  // As Python's bool().
  bool Truthy() const;
  // For messages: "a string", "an integer" …
  absl::string_view TypeName() const;
  // What to say when an undefined value is used.
  std::string WhyUndefined() const;

  // About the bytes that it takes written out, elements counted wherever they occur: what going
  // through it costs. Of an Object, 1.
  size_t weight() const;
  // How deep lists and dicts lie inside each other; 0 for other values.
  int depth() const;

  // As Python's ==: 1 == 1.0 == True; Objects are equal when they are the same.
  bool operator==(const Value& other) const;
  // As Python's `is`. INVALID_ARGUMENT where that is up to Python's inner workings.
  absl::StatusOr<bool> Is(const Value& other) const;

 private:
  struct UndefinedData {
    std::shared_ptr<const std::string> why;
  };
  // Worked out once.
  template <typename T>
  struct Container {
    T elements;
    size_t weight = 1;
    int depth = 1;
  };
  struct ListData {
    std::shared_ptr<const Container<List>> held;
  };
  struct TupleData {
    std::shared_ptr<const Container<List>> held;
    bool group = false;
  };
  struct DictData {
    std::shared_ptr<const Container<Dict>> held;
  };
  struct ViewData {
    std::shared_ptr<const Container<Dict>> held;
    ViewKind kind;
  };
  static std::shared_ptr<const Container<List>> Weighed(List elements);
  bool ViewEquals(const ViewData& other) const;

  std::variant<UndefinedData, None, bool, int64_t, double, std::shared_ptr<const Text>, ListData,
               TupleData, DictData, std::shared_ptr<const Range>, ViewData, Object*>
      data_;
};

// One text for all keys that Python takes for the same, as 1, 1.0 and True. INVALID_ARGUMENT for
// what Python cannot hash.
absl::StatusOr<std::string> HashKey(const Value& key);

// Compares an integer with a float exactly: negative, 0 or positive; NaN counts as positive.
int CompareExactly(int64_t left, double right);

// INVALID_ARGUMENT when text of so many bytes would go beyond kMaxWeight.
absl::Status CheckTextSize(size_t bytes);

}  // namespace terminus::chat
