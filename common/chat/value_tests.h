#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/chat/arguments.h"
#include "common/chat/context.h"
#include "common/chat/value.h"

// Jinja's tests: "value is name(arguments)".
namespace terminus::chat {

bool IsTest(absl::string_view name);

// INVALID_ARGUMENT for an unknown test, and where Python raises an error.
absl::StatusOr<bool> ApplyTest(Context& context, absl::string_view name, const Value& value,
                               const Arguments& arguments);

}  // namespace terminus::chat
