#include "common/chat/loop.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace terminus::chat {

absl::StatusOr<bool> Loop::Read(Context& context, Value& element) {
  return elements_.Next(context, element);
}

absl::StatusOr<bool> Loop::Next(Context& context, Value& element) {
  if (after_.has_value()) {
    element = *std::exchange(after_, absl::nullopt);
  } else {
    TERMINUS_ASSIGN_OR_RETURN(const bool more, Read(context, element));
    if (!more) return false;
  }
  ++index0_;
  before_ = std::exchange(current_, element);
  return true;
}

absl::StatusOr<const Value*> Loop::PeekNext(Context& context) {
  if (!after_.has_value()) {
    Value next;
    TERMINUS_ASSIGN_OR_RETURN(const bool more, Read(context, next));
    if (!more) return nullptr;
    after_ = std::move(next);
  }
  return &*after_;
}

absl::StatusOr<int64_t> Loop::Length(Context& context) {
  if (length_.has_value()) return *length_;
  List rest;
  Value element;
  while (true) {
    TERMINUS_ASSIGN_OR_RETURN(const bool more, Read(context, element));
    if (!more) break;
    rest.push_back(element);
  }
  length_ = static_cast<int64_t>(rest.size()) + index0_ + 1 + (after_.has_value() ? 1 : 0);
  TERMINUS_ASSIGN_OR_RETURN(elements_, Cursor::Over(Value(std::move(rest))));
  return *length_;
}

absl::StatusOr<Value> Loop::Attribute(Context& context, absl::string_view name) {
  if (name == "index") return Value(index0_ + 1);
  if (name == "index0") return Value(index0_);
  if (name == "depth") return Value(depth0_ + 1);
  if (name == "depth0") return Value(depth0_);
  if (name == "first") return Value(index0_ == 0);
  if (name == "length" || name == "revindex" || name == "revindex0") {
    TERMINUS_ASSIGN_OR_RETURN(const int64_t length, Length(context));
    return Value(name == "length" ? length : length - index0_ - (name == "revindex" ? 0 : 1));
  }
  if (name == "last" || name == "nextitem") {
    TERMINUS_ASSIGN_OR_RETURN(const Value* const next, PeekNext(context));
    if (name == "last") return Value(next == nullptr);
    return next != nullptr ? *next : Value::Undefined("there is no next item");
  }
  if (name == "previtem") {
    return before_.has_value() ? *before_ : Value::Undefined("there is no previous item");
  }
  return Value::Undefined(absl::StrCat("'loop' has no attribute '", name, "'"));
}

absl::StatusOr<Value> Loop::Cycle(const Arguments& arguments) const {
  if (arguments.positional.empty() || !arguments.named.empty()) {
    return absl::InvalidArgumentError("cycle: expected values");
  }
  return arguments.positional[static_cast<size_t>(index0_) % arguments.positional.size()];
}

absl::StatusOr<Value> Loop::Changed(Context& context, const Arguments& arguments) {
  if (!arguments.named.empty()) {
    return absl::InvalidArgumentError("changed: expected values without names");
  }
  for (const Value& value : arguments.positional) {
    TERMINUS_RETURN_IF_ERROR(context.Charge(value));
  }
  if (last_changed_ == arguments.positional) return Value(false);
  last_changed_ = arguments.positional;
  return Value(true);
}

absl::StatusOr<Value> Loop::Call(const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound, Bound::Make("loop", arguments, {"iterable"}, 1));
  if (!recurse_) {
    return absl::InvalidArgumentError("only a loop that is marked recursive can be called");
  }
  return recurse_(bound.at(0), depth0_ + 1);
}

}  // namespace terminus::chat
