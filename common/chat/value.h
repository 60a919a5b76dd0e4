#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"

namespace terminus::chat {

class Value;
using List = std::vector<Value>;
using Dict = std::map<std::string, Value>;

// A value of the template language. Lists and dicts are shared when copied, as in Python.
class Value {
 public:
  struct Undefined {
    bool operator==(const Undefined&) const { return true; }
  };
  struct None {
    bool operator==(const None&) const { return true; }
  };

  Value() = default;  // undefined
  explicit Value(None) : data_(None()) {}
  explicit Value(bool value) : data_(value) {}
  explicit Value(int64_t value) : data_(value) {}
  explicit Value(double value) : data_(value) {}
  explicit Value(std::string value) : data_(std::move(value)) {}
  explicit Value(List list) : data_(std::make_shared<List>(std::move(list))) {}
  explicit Value(Dict dict) : data_(std::make_shared<Dict>(std::move(dict))) {}

  bool is_undefined() const { return std::holds_alternative<Undefined>(data_); }
  bool is_none() const { return std::holds_alternative<None>(data_); }
  // Null when it is of another type.
  const bool* boolean() const { return std::get_if<bool>(&data_); }
  const int64_t* integer() const { return std::get_if<int64_t>(&data_); }
  const double* number() const { return std::get_if<double>(&data_); }
  const std::string* string() const { return std::get_if<std::string>(&data_); }
  List* list() const {
    const auto* held = std::get_if<std::shared_ptr<List>>(&data_);
    return held == nullptr ? nullptr : held->get();
  }
  Dict* dict() const {
    const auto* held = std::get_if<std::shared_ptr<Dict>>(&data_);
    return held == nullptr ? nullptr : held->get();
  }

  // As Python's bool(): empty and zero are false.
  bool Truthy() const;
  // As Jinja writes it into the output: undefined is nothing, None is "None".
  std::string ToText() const;
  // JSON, with the spaces that Python puts in.
  std::string ToJson() const;
  // For messages: "string", "integer" …
  absl::string_view TypeName() const;

  bool operator==(const Value& other) const;

 private:
  std::variant<Undefined, None, bool, int64_t, double, std::string, std::shared_ptr<List>,
               std::shared_ptr<Dict>>
      data_;
};

}  // namespace terminus::chat
