#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/chat/arguments.h"
#include "common/chat/context.h"
#include "common/chat/value.h"

// The methods of values other than strings; attributes.h is the way to them.
namespace terminus::chat {

bool HasOtherMethod(const Value& value, absl::string_view name);

// Requires: HasOtherMethod(value, name).
absl::StatusOr<Value> CallOtherMethod(Context& context, const Value& value, absl::string_view name,
                                      const Arguments& arguments);

// Whether some value has it.
bool IsOtherMethod(absl::string_view name);

// dict(…): of a dict or of pairs, and of named arguments.
absl::StatusOr<Dict> MakeDict(Context& context, const Arguments& arguments);

}  // namespace terminus::chat
