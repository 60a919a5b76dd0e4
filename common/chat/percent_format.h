#pragma once

#include "absl/status/statusor.h"
#include "common/chat/context.h"
#include "common/chat/value.h"

namespace terminus::chat {

// format % arguments, as Python's printf for strings. INVALID_ARGUMENT where Python raises an
// error.
absl::StatusOr<Value> PercentFormat(Context& context, const Text& format, const Value& arguments);

}  // namespace terminus::chat
