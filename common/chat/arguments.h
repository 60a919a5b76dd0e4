#pragma once

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "common/chat/value.h"

namespace terminus::chat {

// The arguments of a call.
struct Arguments {
  List positional;
  std::vector<std::pair<std::string, Value>> named;
};

// Arguments in the order of a function's parameters; absent ones have no value.
class Bound {
 public:
  // Puts each argument to its parameter, as Python does. The first `required` ones must be there;
  // the first `unnamed` ones cannot be given by name. INVALID_ARGUMENT names the function.
  static absl::StatusOr<Bound> Make(absl::string_view function, const Arguments& arguments,
                                    std::initializer_list<absl::string_view> parameters,
                                    size_t required, size_t unnamed = 0);

  bool has(size_t i) const { return values_[i].has_value(); }
  // Requires: has(i).
  const Value& at(size_t i) const { return *values_[i]; }
  Value ValueOr(size_t i, Value otherwise) const;
  // An integer as Python's __index__ gives it; INVALID_ARGUMENT for another type.
  absl::StatusOr<int64_t> IntegerOr(size_t i, int64_t otherwise) const;
  // INVALID_ARGUMENT for what is no string.
  absl::StatusOr<const Text*> TextAt(size_t i) const;
  bool TruthyOr(size_t i, bool otherwise) const { return has(i) ? at(i).Truthy() : otherwise; }

 private:
  std::string function_;
  std::vector<absl::optional<Value>> values_;
};

// Integers and booleans; null for others.
absl::optional<int64_t> IndexOf(const Value& value);

}  // namespace terminus::chat
