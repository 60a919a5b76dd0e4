#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "common/chat/value.h"

// Python's numbers. Integers have 64 bits: INVALID_ARGUMENT where Python's would grow beyond.
namespace terminus::chat {

// Integers, floats and booleans; nothing for others.
absl::optional<double> FloatOf(const Value& value);

// left op right for numbers; op is one of + - * / // % **. INVALID_ARGUMENT for a division by zero,
// and for results that are too large or not real.
absl::StatusOr<Value> Arithmetic(absl::string_view op, const Value& left, const Value& right);

// -value or +value.
absl::StatusOr<Value> Signed(absl::string_view op, const Value& value);

// repr() of a float: the shortest text that is read as the same number.
std::string FloatText(double value);

// int() and float() of a text; nothing where Python raises ValueError. INVALID_ARGUMENT for an
// integer that is too large.
absl::StatusOr<absl::optional<int64_t>> ParseInteger(const Text& text, int64_t base);
absl::optional<double> ParseFloat(const Text& text);

// int() of a float. INVALID_ARGUMENT when it is too large, infinite or no number.
absl::StatusOr<int64_t> Truncated(double value);

// round(value, digits) of a float.
absl::StatusOr<double> Rounded(double value, int64_t digits);

}  // namespace terminus::chat
