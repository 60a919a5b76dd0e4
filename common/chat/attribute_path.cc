#include "common/chat/attribute_path.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"
#include "common/chat/operators.h"
#include "common/chat/unicode.h"

namespace terminus::chat {

absl::StatusOr<AttributePath> AttributePath::Make(const Value& attribute) {
  AttributePath path;
  if (attribute.is_none()) return path;
  if (attribute.text() == nullptr) {
    path.parts_.push_back(attribute);
    return path;
  }
  for (const absl::string_view part : absl::StrSplit(attribute.text()->bytes, '.')) {
    const bool digits = !part.empty() && std::all_of(part.begin(), part.end(), absl::ascii_isdigit);
    int64_t index = 0;
    if (digits && !absl::SimpleAtoi(part, &index)) {
      return absl::InvalidArgumentError("an index of an attribute is too large");
    }
    path.parts_.push_back(digits ? Value(index) : Value(std::string(part)));
  }
  return path;
}

absl::StatusOr<Value> AttributePath::Get(Context& context, Value element,
                                         const Value& fallback) const {
  for (const Value& part : parts_) {
    TERMINUS_RETURN_IF_ERROR(context.Step());
    TERMINUS_ASSIGN_OR_RETURN(element, ItemOf(context, element, part));
    if (element.is_undefined() && !fallback.is_none()) element = fallback;
  }
  return element;
}

Value WithoutCase(const Value& value) {
  return value.text() == nullptr ? value : Value(Transform(*value.text(), &Lower));
}

}  // namespace terminus::chat
