#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/chat/text_functions.h"
#include "common/chat/value.h"

// The functions of the language that need nothing but their arguments. INVALID_ARGUMENT for what is
// not supported or does not fit.
namespace terminus::chat {

// value | name(arguments)
absl::StatusOr<Value> ApplyFilter(const std::string& name, const Value& value,
                                  const Arguments& arguments);

// value is name(arguments)
absl::StatusOr<bool> ApplyTest(const std::string& name, const Value& value,
                               const Arguments& arguments);

// value.name(arguments)
absl::StatusOr<Value> CallMethod(const std::string& name, const Value& value,
                                 const Arguments& arguments);

absl::StatusOr<Value> ApplyBinary(const std::string& op, const Value& left, const Value& right);

// value[index]; undefined when there is no such element.
Value ItemOf(const Value& value, const Value& index);

// value[begin:end:step]; undefined bounds are absent ones.
absl::StatusOr<Value> SliceOf(const Value& value, const Value& begin, const Value& end,
                              const Value& step);

}  // namespace terminus::chat
