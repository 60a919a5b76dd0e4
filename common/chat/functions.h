#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/chat/arguments.h"
#include "common/chat/context.h"
#include "common/chat/value.h"

// The functions that every template knows: Jinja's, raise_exception and strftime_now.
namespace terminus::chat {

const std::vector<absl::string_view>& FunctionNames();

// name(arguments), but for raise_exception. Requires: `name` is one of FunctionNames().
absl::StatusOr<Value> CallFunction(Context& context, absl::string_view name,
                                   const Arguments& arguments);

}  // namespace terminus::chat
