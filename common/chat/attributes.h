#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/chat/arguments.h"
#include "common/chat/context.h"
#include "common/chat/value.h"

// Attributes and methods of values, as Python has them and the reference's sandbox lets templates
// use them.
namespace terminus::chat {

// value.name: an attribute, a method, or for a dict the element of that name; undefined when there
// is none. INVALID_ARGUMENT for an attribute of an undefined value.
absl::StatusOr<Value> AttributeOf(Context& context, const Value& value, absl::string_view name);

// Whether value.name is a method that CallMethod knows.
bool HasMethod(const Value& value, absl::string_view name);

// value.name(arguments). Requires: HasMethod(value, name).
absl::StatusOr<Value> CallMethod(Context& context, const Value& value, absl::string_view name,
                                 const Arguments& arguments);

// Whether some value has a method or attribute of this name that may be called.
bool IsKnownMethod(absl::string_view name);

}  // namespace terminus::chat
