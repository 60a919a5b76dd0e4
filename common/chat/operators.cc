#include "common/chat/operators.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/chat/arguments.h"
#include "common/chat/attributes.h"
#include "common/chat/iteration.h"
#include "common/chat/markup.h"
#include "common/chat/numbers.h"
#include "common/chat/percent_format.h"
#include "common/chat/represent.h"

namespace terminus::chat {
namespace {

absl::Status Error(absl::string_view message) { return absl::InvalidArgumentError(message); }

absl::Status Mismatch(absl::string_view op, const Value& left, const Value& right) {
  return Error(
      absl::StrCat("'", op, "' does not work on ", left.TypeName(), " and ", right.TypeName()));
}

absl::StatusOr<Value> AddTexts(const Text& left, const Text& right) {
  TERMINUS_RETURN_IF_ERROR(CheckTextSize(left.bytes.size() + right.bytes.size()));
  if (!left.safe && !right.safe) return Value(Concatenate(left, right));
  // Markup escapes what is none.
  Text sum = Concatenate(left.safe ? left : Escaped(left), right.safe ? right : Escaped(right));
  TERMINUS_RETURN_IF_ERROR(CheckTextSize(sum.bytes.size()));
  sum.safe = true;
  return Value(std::move(sum));
}

Value SameSequence(const Value& like, List elements) {
  return like.list() != nullptr ? Value(std::move(elements)) : Value::Tuple(std::move(elements));
}

absl::StatusOr<Value> Repeat(Context& context, const Value& value, int64_t times) {
  if (times <= 0 || value.weight() <= 1) {
    if (value.text() == nullptr) return SameSequence(value, {});
    Text empty;
    empty.safe = value.text()->safe;
    return Value(std::move(empty));
  }
  if (static_cast<uint64_t>(times) > kMaxWeight / value.weight()) {
    return CheckTextSize(kMaxWeight + 1);
  }
  TERMINUS_RETURN_IF_ERROR(context.ChargeBytes(value.weight() * static_cast<size_t>(times)));
  if (const Text* const text = value.text(); text != nullptr) {
    TextBuilder builder;
    for (int64_t i = 0; i < times; ++i) builder.Append(*text);
    Text all = builder.Take();
    all.safe = text->safe;
    return Value(std::move(all));
  }
  List all;
  for (int64_t i = 0; i < times; ++i) {
    all.insert(all.end(), value.elements()->begin(), value.elements()->end());
  }
  return SameSequence(value, std::move(all));
}

absl::StatusOr<bool> Contains(Context& context, const Value& container, const Value& value) {
  if (const Text* const text = container.text(); text != nullptr) {
    if (value.text() == nullptr) return Mismatch("in", value, container);
    return absl::StrContains(text->bytes, value.text()->bytes);
  }
  Value::ViewKind kind = Value::ViewKind::kKeys;
  const Dict* const dict = container.dict() != nullptr ? container.dict() : container.view(kind);
  if (dict != nullptr && kind == Value::ViewKind::kKeys) {
    TERMINUS_ASSIGN_OR_RETURN(const Value* const found, dict->Find(value));
    return found != nullptr;
  }
  if (container.range() != nullptr && value.number() == nullptr && !IndexOf(value)) return false;
  TERMINUS_ASSIGN_OR_RETURN(Cursor cursor, Cursor::Over(container));
  Value element;
  while (true) {
    TERMINUS_ASSIGN_OR_RETURN(const bool more, cursor.Next(context, element));
    if (!more) return false;
    TERMINUS_RETURN_IF_ERROR(context.ChargeBytes(std::min(element.weight(), value.weight())));
    if (element == value) return true;
  }
}

// -1, 0 or 1; kUnordered when nothing is less or greater, as for nan.
constexpr int kUnordered = 2;

absl::StatusOr<int> Order(absl::string_view op, const Value& left, const Value& right) {
  if (left.text() != nullptr && right.text() != nullptr) {
    const int order = left.text()->bytes.compare(right.text()->bytes);
    return order < 0 ? -1 : order > 0 ? 1 : 0;
  }
  const bool sequences = (left.list() != nullptr && right.list() != nullptr) ||
                         (left.tuple() != nullptr && right.tuple() != nullptr);
  if (sequences) {
    const List& a = *left.elements();
    const List& b = *right.elements();
    const auto [at_a, at_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
    if (at_a != a.end() && at_b != b.end()) return Order(op, *at_a, *at_b);
    return at_a != a.end() ? 1 : at_b != b.end() ? -1 : 0;
  }
  const auto a = IndexOf(left);
  const auto b = IndexOf(right);
  if (a && b) return *a < *b ? -1 : *a > *b ? 1 : 0;
  const auto x = FloatOf(left);
  const auto y = FloatOf(right);
  if (!x || !y) return Mismatch(op, left, right);
  if (*x != *x || *y != *y) return kUnordered;
  if (a) return CompareExactly(*a, *y);
  if (b) return -CompareExactly(*b, *x);
  return *x < *y ? -1 : *x > *y ? 1 : 0;
}

}  // namespace

absl::StatusOr<Value> ApplyBinary(Context& context, absl::string_view op, const Value& left,
                                  const Value& right) {
  if (op == "%" && left.text() != nullptr) return PercentFormat(context, *left.text(), right);
  for (const Value* const side : {&left, &right}) {
    if (side->is_undefined()) return Error(side->WhyUndefined());
    TERMINUS_RETURN_IF_ERROR(context.Charge(*side));
  }
  if (op == "+") {
    if (left.text() != nullptr && right.text() != nullptr) {
      return AddTexts(*left.text(), *right.text());
    }
    if ((left.list() != nullptr && right.list() != nullptr) ||
        (left.tuple() != nullptr && right.tuple() != nullptr)) {
      List sum = *left.elements();
      sum.insert(sum.end(), right.elements()->begin(), right.elements()->end());
      return SameSequence(left, std::move(sum));
    }
  }
  const auto sequence = [](const Value& value) {
    return value.text() != nullptr || value.elements() != nullptr;
  };
  if (op == "*" && sequence(left) != sequence(right)) {
    const auto times = IndexOf(sequence(left) ? right : left);
    if (!times) return Mismatch(op, left, right);
    return Repeat(context, sequence(left) ? left : right, *times);
  }
  return Arithmetic(op, left, right);
}

absl::StatusOr<bool> Compare(Context& context, absl::string_view op, const Value& left,
                             const Value& right) {
  if (op == "in" || op == "not in") {
    TERMINUS_RETURN_IF_ERROR(context.Charge(right));
    TERMINUS_ASSIGN_OR_RETURN(const bool found, Contains(context, right, left));
    return found == (op == "in");
  }
  TERMINUS_RETURN_IF_ERROR(context.ChargeBytes(std::min(left.weight(), right.weight())));
  if (op == "==") return left == right;
  if (op == "!=") return !(left == right);
  for (const Value* const side : {&left, &right}) {
    if (side->is_undefined()) return Error(side->WhyUndefined());
  }
  TERMINUS_ASSIGN_OR_RETURN(const int order, Order(op, left, right));
  if (order == kUnordered) return false;
  if (order == 0) return op == "<=" || op == ">=";
  return op[0] == (order < 0 ? '<' : '>');
}

absl::StatusOr<Value> ConcatenateTexts(Context& context, const List& values) {
  TextBuilder builder;
  for (const Value& value : values) {
    TERMINUS_RETURN_IF_ERROR(AppendText(context, value, builder));
  }
  return Value(builder.Take());
}

absl::StatusOr<Value> ItemOf(Context& context, const Value& value, const Value& index) {
  if (value.is_undefined()) return Error(value.WhyUndefined());
  if (const Dict* const dict = value.dict(); dict != nullptr) {
    const auto found = dict->Find(index);
    if (found.ok() && *found != nullptr) return **found;
  } else if (const auto whole = IndexOf(index);
             whole &&
             (value.text() != nullptr || value.elements() != nullptr || value.range() != nullptr)) {
    TERMINUS_ASSIGN_OR_RETURN(const int64_t size, LengthOf(value));
    if (value.text() != nullptr) TERMINUS_RETURN_IF_ERROR(context.Charge(value));
    const int64_t at = *whole < 0 ? *whole + size : *whole;
    if (at >= 0 && at < size) {
      if (value.elements() != nullptr) return (*value.elements())[static_cast<size_t>(at)];
      if (value.range() != nullptr) return Value(value.range()->at(at));
      return SliceOf(context, value, Value(at), Value(at + 1), Value(Value::None()));
    }
  }
  // What is no element may be an attribute.
  if (index.text() != nullptr) return AttributeOf(context, value, index.text()->bytes);
  return Value::Undefined(absl::StrCat(value.TypeName(), " has no such element"));
}

absl::StatusOr<Value> SliceOf(Context& context, const Value& value, const Value& begin,
                              const Value& end, const Value& step) {
  if (value.is_undefined()) return Error(value.WhyUndefined());
  if (value.text() == nullptr && value.elements() == nullptr && value.range() == nullptr) {
    return Error(absl::StrCat(value.TypeName(), " cannot be sliced"));
  }
  TERMINUS_RETURN_IF_ERROR(context.Charge(value));
  for (const Value* const bound : {&begin, &end, &step}) {
    if (!bound->is_none() && !IndexOf(*bound)) {
      return Error(absl::StrCat("a slice takes integers, not ", bound->TypeName()));
    }
  }
  TERMINUS_ASSIGN_OR_RETURN(const int64_t size, LengthOf(value));
  // A longer step goes no further.
  const int64_t stride =
      step.is_none() ? 1 : std::clamp<int64_t>(*IndexOf(step), -size - 1, size + 1);
  if (stride == 0) return Error("a slice with a step of 0");
  const auto bound = [&](const Value& given, int64_t otherwise) {
    if (given.is_none()) return otherwise;
    const int64_t index = *IndexOf(given);
    const int64_t at = index < 0 ? index + size : index;
    return stride > 0 ? std::clamp<int64_t>(at, 0, size) : std::clamp<int64_t>(at, -1, size - 1);
  };
  const Range kept = {.begin = bound(begin, stride > 0 ? 0 : size - 1),
                      .end = bound(end, stride > 0 ? size : -1),
                      .step = stride};
  if (const Range* const range = value.range(); range != nullptr) {
    const int64_t by = step.is_none() ? 1 : *IndexOf(step);
    int64_t whole_step = 0;
    if (__builtin_mul_overflow(range->step, by, &whole_step)) return Error("a step is too large");
    return Value(Range{range->at(kept.begin), range->at(kept.end), whole_step});
  }
  if (const Text* const text = value.text(); text != nullptr) {
    const std::vector<size_t> offsets = CharacterOffsets(text->bytes);
    TextBuilder builder;
    if (stride == 1) {
      const int64_t last = std::max(kept.begin, kept.end);
      builder.AppendSlice(*text, offsets[static_cast<size_t>(kept.begin)],
                          offsets[static_cast<size_t>(last)]);
    } else {
      for (int64_t i = 0; i < kept.size(); ++i) {
        const auto at = static_cast<size_t>(kept.at(i));
        builder.AppendSlice(*text, offsets[at], offsets[at + 1]);
      }
    }
    Text made = builder.Take();
    made.safe = text->safe;
    return Value(std::move(made));
  }
  List elements;
  for (int64_t i = 0; i < kept.size(); ++i) {
    elements.push_back((*value.elements())[static_cast<size_t>(kept.at(i))]);
  }
  return SameSequence(value, std::move(elements));
}

}  // namespace terminus::chat
