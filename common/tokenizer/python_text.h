#pragma once

#include <string>

#include "absl/strings/string_view.h"

// Methods of Python's strings, with the properties of Unicode 14, as Python 3.11. Texts are valid
// UTF-8.
namespace terminus::tokenizer {

// isspace(), which is also \s of Python's regular expressions.
bool IsPythonSpace(char32_t c);

// lstrip(), rstrip() and strip() without arguments.
absl::string_view StripLeft(absl::string_view text);
absl::string_view StripRight(absl::string_view text);
inline absl::string_view StripBoth(absl::string_view text) { return StripRight(StripLeft(text)); }

// lower()
std::string PythonLower(absl::string_view text);

}  // namespace terminus::tokenizer
