#pragma once

#include "absl/status/statusor.h"
#include "common/chat/arguments.h"
#include "common/chat/context.h"
#include "common/chat/value.h"

// format.format(…) and format.format_map(dict), as the sandbox of the reference has them:
// attributes and items are those of templates. INVALID_ARGUMENT where Python raises an error.
namespace terminus::chat {

absl::StatusOr<Value> FormatMethod(Context& context, const Text& format,
                                   const Arguments& arguments);
absl::StatusOr<Value> FormatMapMethod(Context& context, const Text& format,
                                      const Arguments& arguments);

}  // namespace terminus::chat
