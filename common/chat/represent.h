#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/chat/context.h"
#include "common/chat/value.h"

// Values as text, as Python's str() and repr() write them. INVALID_ARGUMENT for values whose text
// holds an address in Python, as functions and generators.
namespace terminus::chat {

// Appends str(value).
absl::Status AppendText(Context& context, const Value& value, TextBuilder& out);

// Appends repr(value).
absl::Status AppendRepresentation(Context& context, const Value& value, TextBuilder& out);

// str(value).
absl::StatusOr<Text> TextOf(Context& context, const Value& value);

// Appends repr() of a text; with `ascii`, ascii() of it.
void AppendQuoted(const Text& text, bool ascii, TextBuilder& out);

}  // namespace terminus::chat
