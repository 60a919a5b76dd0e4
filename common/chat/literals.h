#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// Literals of the template language.
namespace terminus::chat {

struct NumberLiteral {
  size_t bytes = 0;  // 0: there is no number.
  bool is_float = false;
};

// The number at the beginning of `text`. Behind a dot there are no floats: a.0.1 has two indices.
NumberLiteral NumberAt(absl::string_view text, bool may_be_float);

// The bytes of the string at the beginning of `text`, which is a quote; 0 when it is not closed.
size_t StringEnd(absl::string_view text);

// What stands between the quotes of a string, with Python's escapes resolved as Jinja does it.
// INVALID_ARGUMENT for escapes that are cut off, or of a surrogate.
absl::StatusOr<std::string> Unescaped(absl::string_view text);

}  // namespace terminus::chat
