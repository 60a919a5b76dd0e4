#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/chat/arguments.h"
#include "common/chat/context.h"
#include "common/chat/value.h"

// Jinja's filters, and tojson of transformers.
namespace terminus::chat {

// A filter that ApplyFilter knows.
bool IsFilter(absl::string_view name);

// A filter of Jinja, whether ApplyFilter knows it or not.
bool IsJinjaFilter(absl::string_view name);

// value | name(arguments). INVALID_ARGUMENT for an unknown filter, and where Python raises an
// error.
absl::StatusOr<Value> ApplyFilter(Context& context, absl::string_view name, const Value& value,
                                  const Arguments& arguments);

}  // namespace terminus::chat
