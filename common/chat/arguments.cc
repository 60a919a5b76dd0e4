#include "common/chat/arguments.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace terminus::chat {

absl::StatusOr<Bound> Bound::Make(absl::string_view function, const Arguments& arguments,
                                  std::initializer_list<absl::string_view> parameters,
                                  size_t required, size_t unnamed) {
  Bound bound;
  bound.function_ = std::string(function);
  bound.values_.resize(parameters.size());
  if (arguments.positional.size() > parameters.size()) {
    return absl::InvalidArgumentError(absl::StrCat(function, ": at most ", parameters.size(),
                                                   " arguments, not ",
                                                   arguments.positional.size()));
  }
  for (size_t i = 0; i < arguments.positional.size(); ++i) {
    bound.values_[i] = arguments.positional[i];
  }
  for (const auto& [name, value] : arguments.named) {
    const auto* const found = std::find(parameters.begin(), parameters.end(), name);
    const auto index = static_cast<size_t>(found - parameters.begin());
    if (found == parameters.end() || index < unnamed || bound.values_[index].has_value()) {
      return absl::InvalidArgumentError(
          absl::StrCat(function, ": the argument '", name, "' is not one it takes"));
    }
    bound.values_[index] = value;
  }
  for (size_t i = 0; i < required; ++i) {
    if (!bound.has(i)) {
      return absl::InvalidArgumentError(
          absl::StrCat(function, ": the argument '", *(parameters.begin() + i), "' is missing"));
    }
  }
  return bound;
}

Value Bound::ValueOr(size_t i, Value otherwise) const { return has(i) ? at(i) : otherwise; }

absl::StatusOr<int64_t> Bound::IntegerOr(size_t i, int64_t otherwise) const {
  if (!has(i)) return otherwise;
  if (const auto integer = IndexOf(at(i)); integer) return *integer;
  return absl::InvalidArgumentError(
      absl::StrCat(function_, ": expected an integer, not ", at(i).TypeName()));
}

absl::StatusOr<const Text*> Bound::TextAt(size_t i) const {
  if (at(i).text() != nullptr) return at(i).text();
  return absl::InvalidArgumentError(
      absl::StrCat(function_, ": expected a string, not ", at(i).TypeName()));
}

absl::optional<int64_t> IndexOf(const Value& value) {
  if (value.integer() != nullptr) return *value.integer();
  if (value.boolean() != nullptr) return *value.boolean() ? 1 : 0;
  return absl::nullopt;
}

}  // namespace terminus::chat
