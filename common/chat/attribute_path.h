#pragma once

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "common/chat/context.h"
#include "common/chat/value.h"

namespace terminus::chat {

// The attribute by which filters look at elements: "a.b.0" is element 0 of attribute b of a.
class AttributePath {
 public:
  // From a string, an index, or none, which is the element itself.
  static absl::StatusOr<AttributePath> Make(const Value& attribute);

  // With `fallback`, which is not none, what is undefined on the way is it instead.
  absl::StatusOr<Value> Get(Context& context, Value element, const Value& fallback) const;

 private:
  List parts_;
};

// A text in lower case; other values as they are.
Value WithoutCase(const Value& value);

}  // namespace terminus::chat
