#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/chat/context.h"
#include "common/chat/value.h"

// Python's formatting of single values.
namespace terminus::chat {

// The most that a format may ask for: digits behind the point.
inline constexpr int64_t kMaxPrecision = 1000;

// format(value, spec). INVALID_ARGUMENT for a spec that does not fit the value.
absl::StatusOr<Text> FormatValue(Context& context, const Value& value, const Text& spec);

// A float without its sign, as printf has it; `type` is one of e E f F g G. Python's inf and nan.
std::string FloatDigits(double value, char type, int precision, bool alternate);

// An integer without its sign, in the base 2, 8, 10 or 16.
std::string IntegerDigits(int64_t value, int base, bool upper);

}  // namespace terminus::chat
