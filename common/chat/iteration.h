#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/chat/context.h"
#include "common/chat/objects.h"

// Going through values as Python's iter() and next() do.
namespace terminus::chat {

// One pass over the elements of a value. Copies share the pass over an Iterator, nothing else.
class Cursor {
 public:
  // INVALID_ARGUMENT for what cannot be gone through.
  static absl::StatusOr<Cursor> Over(const Value& value, bool reversed = false);

  // Sets the next element and returns true, or returns false at the end. Costs steps.
  absl::StatusOr<bool> Next(Context& context, Value& element);
  // Of the iterators behind it.
  int depth() const;

 private:
  explicit Cursor(Value value) : value_(std::move(value)) {}
  absl::StatusOr<bool> Read(Value& element);

  Value value_;
  bool reversed_ = false;
  size_t index_ = 0;  // Of the element, or of the byte of a string.
};

// All elements that are left.
absl::StatusOr<List> Collect(Context& context, const Value& value);

// Python's len(); INVALID_ARGUMENT for what has none.
absl::StatusOr<int64_t> LengthOf(const Value& value);

bool IsIterable(const Value& value);

// An Iterator over what `next` gives; `source` is what it reads from.
absl::StatusOr<Value> MakeIterator(Context& context, const Cursor& source, Iterator::Next next);

}  // namespace terminus::chat
