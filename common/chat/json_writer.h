#pragma once

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "common/chat/arguments.h"
#include "common/chat/context.h"
#include "common/chat/value.h"

namespace terminus::chat {

// The arguments of Python's json.dumps.
struct JsonStyle {
  bool ensure_ascii = false;
  // What each level is indented by; without it all stands in one line.
  absl::optional<Text> indent;
  Text item_separator{", "};
  Text key_separator{": "};
  bool sort_keys = false;
};

// From the parameters ensure_ascii, indent, separators and sort_keys.
absl::StatusOr<JsonStyle> JsonStyleOf(const Bound& bound);

// INVALID_ARGUMENT for values that JSON does not know.
absl::StatusOr<Text> ToJson(Context& context, const Value& value, const JsonStyle& style);

}  // namespace terminus::chat
