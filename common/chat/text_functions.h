#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/chat/value.h"

// What Python's strings can do, as far as templates ask for it. All text is valid UTF-8; a
// character is a code point.
namespace terminus::chat {

using Arguments = std::vector<Value>;

// text.name(arguments). INVALID_ARGUMENT for a method that is not supported, arguments that do not
// fit, or a result beyond kMaxWeight.
absl::StatusOr<Value> CallTextMethod(const std::string& name, const std::string& text,
                                     const Arguments& arguments);

int64_t CountCharacters(absl::string_view text);
std::vector<std::string> Characters(absl::string_view text);

// Jinja's filter: as str.title(), but words begin at the start and behind white space and -({[<.
std::string TitleOfFilter(absl::string_view text);

// The text `times` over.
absl::StatusOr<Value> Repeated(const std::string& text, int64_t times);

// The elements' texts with the separator between them.
absl::StatusOr<Value> Joined(const List& list, absl::string_view separator);

// INVALID_ARGUMENT when text of so many bytes would go beyond kMaxWeight.
absl::Status CheckTextSize(size_t bytes);

}  // namespace terminus::chat
