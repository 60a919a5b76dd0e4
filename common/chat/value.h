#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"

namespace terminus::chat {

// The most that a value may weigh (Value::weight): bytes of text, or of all that is in a list.
inline constexpr size_t kMaxWeight = 16 << 20;

class Value;
using List = std::vector<Value>;

// Names and values in the order in which they first came, as in Python.
class Dict {
 public:
  Dict() = default;
  Dict(std::initializer_list<std::pair<std::string, Value>> entries);

  // Null when there is no such key.
  const Value* Find(absl::string_view key) const;
  void Set(const std::string& key, Value value);

  const std::vector<std::pair<std::string, Value>>& entries() const { return entries_; }

 private:
  std::vector<std::pair<std::string, Value>> entries_;
  std::map<std::string, size_t, std::less<>> places_;  // in entries_
};

// A value of the template language. Cheap to copy; only a namespace changes after it was made, and
// as namespaces are never part of other values, values cannot go in circles.
class Value {
 public:
  struct None {
    bool operator==(const None&) const { return true; }
  };

  Value() = default;  // undefined
  explicit Value(None) : data_(None()) {}
  explicit Value(bool value) : data_(value) {}
  explicit Value(int64_t value) : data_(value) {}
  explicit Value(double value) : data_(value) {}
  explicit Value(std::string value)
      : data_(std::make_shared<const std::string>(std::move(value))) {}
  // Their elements are no namespaces.
  explicit Value(List list);
  explicit Value(Dict dict);
  static Value Namespace(Dict members);

  bool is_undefined() const { return std::holds_alternative<Undefined>(data_); }
  bool is_none() const { return std::holds_alternative<None>(data_); }
  // Null when it is of another type.
  const bool* boolean() const { return std::get_if<bool>(&data_); }
  const int64_t* integer() const { return std::get_if<int64_t>(&data_); }
  const double* number() const { return std::get_if<double>(&data_); }
  const std::string* string() const;
  const List* list() const;
  const Dict* dict() const;
  Dict* namespace_members() const;

  // As Python's bool(): empty and zero are false.
  bool Truthy() const;
  // As Jinja writes it into the output: undefined is nothing, None is "None".
  std::string ToText() const;
  // JSON, with the spaces that Python puts in. Undefined and namespaces have none: "null".
  std::string ToJson() const;
  // For messages: "string", "integer" …
  absl::string_view TypeName() const;

  // About the bytes that it takes written out, elements counted wherever they occur: what going
  // through it costs. Of a namespace, which is not written out, 1.
  size_t weight() const;
  // How deep lists and dicts lie inside each other; 0 for other values.
  int depth() const;

  // Of a namespace, whether it is the same one.
  bool operator==(const Value& other) const;

 private:
  struct Undefined {
    bool operator==(const Undefined&) const { return true; }
  };
  // Worked out once: lists and dicts do not change.
  template <typename T>
  struct Container {
    T elements;
    size_t weight = 1;
    int depth = 1;
  };
  using SharedList = std::shared_ptr<const Container<List>>;
  using SharedDict = std::shared_ptr<const Container<Dict>>;

  std::variant<Undefined, None, bool, int64_t, double, std::shared_ptr<const std::string>,
               SharedList, SharedDict, std::shared_ptr<Dict>>
      data_;
};

}  // namespace terminus::chat
