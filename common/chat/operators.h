#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/chat/context.h"
#include "common/chat/value.h"

// Python's operators. INVALID_ARGUMENT where Python raises an error, and for what is not supported.
namespace terminus::chat {

// left op right; op is one of + - * / // % **.
absl::StatusOr<Value> ApplyBinary(Context& context, absl::string_view op, const Value& left,
                                  const Value& right);

// left op right; op is one of == != < <= > >= in, not in.
absl::StatusOr<bool> Compare(Context& context, absl::string_view op, const Value& left,
                             const Value& right);

// The values' texts one behind the other, without their being Markup.
absl::StatusOr<Value> ConcatenateTexts(Context& context, const List& values);

// value[index] as the sandbox of the reference has it: undefined when there is no such element.
absl::StatusOr<Value> ItemOf(Context& context, const Value& value, const Value& index);

// value[begin:end:step]; absent bounds are none.
absl::StatusOr<Value> SliceOf(Context& context, const Value& value, const Value& begin,
                              const Value& end, const Value& step);

}  // namespace terminus::chat
