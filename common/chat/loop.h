#pragma once

#include <cstdint>
#include <functional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "common/chat/arguments.h"
#include "common/chat/context.h"
#include "common/chat/iteration.h"
#include "common/chat/objects.h"

namespace terminus::chat {

// The variable "loop" of a running loop, which also gives the loop its elements. It reads one
// element ahead, or all of them, only when the template asks for what needs it.
class Loop final : public Object {
 public:
  static constexpr Kind kKind = Kind::kLoop;
  // loop(elements) of a recursive loop.
  using Recurse = std::function<absl::StatusOr<Value>(const Value& elements, int64_t depth0)>;

  // `depth0` counts how deep a recursive loop is inside itself. `known_length` is that of the
  // elements; nothing when they have none before all are read.
  Loop(Cursor elements, absl::optional<int64_t> known_length, Recurse recurse, int64_t depth0)
      : Object(kKind),
        elements_(std::move(elements)),
        length_(known_length),
        recurse_(std::move(recurse)),
        depth0_(depth0) {}

  // Sets the next element and returns true, or returns false at the end.
  absl::StatusOr<bool> Next(Context& context, Value& element);

  int64_t index0() const { return index0_; }
  absl::StatusOr<int64_t> Length(Context& context);
  absl::StatusOr<Value> Attribute(Context& context, absl::string_view name);
  absl::StatusOr<Value> Cycle(const Arguments& arguments) const;
  absl::StatusOr<Value> Changed(Context& context, const Arguments& arguments);
  // loop(elements)
  absl::StatusOr<Value> Call(const Arguments& arguments);

 private:
  absl::StatusOr<bool> Read(Context& context, Value& element);
  // Null at the end.
  absl::StatusOr<const Value*> PeekNext(Context& context);

  Cursor elements_;
  absl::optional<int64_t> length_;
  const Recurse recurse_;
  const int64_t depth0_;
  int64_t index0_ = -1;
  absl::optional<Value> before_;
  absl::optional<Value> current_;
  absl::optional<Value> after_;
  absl::optional<List> last_changed_;
};

}  // namespace terminus::chat
