#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/chat/arguments.h"
#include "common/chat/context.h"
#include "common/chat/value.h"

// The methods of Python's strings.
namespace terminus::chat {

// Whether strings have the method, and we support it.
bool IsTextMethod(absl::string_view name);

// text.name(arguments). Requires: IsTextMethod(name). INVALID_ARGUMENT for arguments that do not
// fit, or a result beyond kMaxWeight.
absl::StatusOr<Value> CallTextMethod(Context& context, absl::string_view name, const Text& text,
                                     const Arguments& arguments);

// text.strip().
Text StrippedOfSpace(const Text& text);

// The parts between white space, as text.split().
List Words(const Text& text);

// The lines, as text.splitlines(keep_ends).
std::vector<Text> Lines(const Text& text, bool keep_ends);

// text.replace(from, to, count); a negative count is all.
absl::StatusOr<Text> Replaced(const Text& text, const Text& from, const Text& to, int64_t count);

// text.center(width, fill) and so on: `left` and `right` say which sides are filled.
absl::StatusOr<Text> Padded(const Text& text, int64_t width, const Text& fill, bool left,
                            bool right);

// The elements' texts with the separator between them; each must be a string.
absl::StatusOr<Value> JoinTexts(Context& context, const Text& separator, const Value& elements);

}  // namespace terminus::chat
