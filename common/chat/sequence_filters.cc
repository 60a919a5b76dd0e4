#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/chat/attribute_path.h"
#include "common/chat/attributes.h"
#include "common/chat/filter_functions.h"
#include "common/chat/iteration.h"
#include "common/chat/operators.h"
#include "common/chat/represent.h"

namespace terminus::chat {
namespace {

absl::Status Error(absl::string_view message) { return absl::InvalidArgumentError(message); }

absl::StatusOr<Value> DefaultFilter(Context&, const Value& value, const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound,
                            Bound::Make("default", arguments, {"default_value", "boolean"}, 0));
  const bool replace = value.is_undefined() || (bound.TruthyOr(1, false) && !value.Truthy());
  return replace ? bound.ValueOr(0, Value(std::string())) : value;
}

absl::StatusOr<Value> AttrFilter(Context& context, const Value& value, const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound, Bound::Make("attr", arguments, {"name"}, 1));
  TERMINUS_ASSIGN_OR_RETURN(const Text* const name, bound.TextAt(0));
  // Not the elements of a dict.
  if (value.dict() != nullptr && !HasMethod(value, name->bytes)) {
    return Value::Undefined(absl::StrCat("a dict has no attribute '", name->bytes, "'"));
  }
  return AttributeOf(context, value, name->bytes);
}

absl::StatusOr<Value> FirstFilter(Context& context, const Value& value,
                                  const Arguments& arguments) {
  TERMINUS_RETURN_IF_ERROR(Bound::Make("first", arguments, {}, 0).status());
  TERMINUS_ASSIGN_OR_RETURN(Cursor cursor, Cursor::Over(value));
  Value element;
  TERMINUS_ASSIGN_OR_RETURN(const bool found, cursor.Next(context, element));
  return found ? element : Value::Undefined("no first item, the sequence was empty");
}

absl::StatusOr<Value> LastFilter(Context& context, const Value& value, const Arguments& arguments) {
  TERMINUS_RETURN_IF_ERROR(Bound::Make("last", arguments, {}, 0).status());
  TERMINUS_ASSIGN_OR_RETURN(Cursor cursor, Cursor::Over(value, /*reversed=*/true));
  Value element;
  TERMINUS_ASSIGN_OR_RETURN(const bool found, cursor.Next(context, element));
  return found ? element : Value::Undefined("no last item, the sequence was empty");
}

absl::StatusOr<Value> ListFilter(Context& context, const Value& value, const Arguments& arguments) {
  TERMINUS_RETURN_IF_ERROR(Bound::Make("list", arguments, {}, 0).status());
  TERMINUS_ASSIGN_OR_RETURN(List all, Collect(context, value));
  return Value(std::move(all));
}

absl::StatusOr<Value> ItemsFilter(Context& context, const Value& value,
                                  const Arguments& arguments) {
  TERMINUS_RETURN_IF_ERROR(Bound::Make("items", arguments, {}, 0).status());
  const bool fits = value.dict() != nullptr || value.is_undefined();
  const Value items =
      value.dict() != nullptr ? Value::View(value, Value::ViewKind::kItems) : Value();
  TERMINUS_ASSIGN_OR_RETURN(Cursor cursor, Cursor::Over(items));
  return MakeIterator(context, cursor,
                      [&context, cursor, fits](Value& element) mutable -> absl::StatusOr<bool> {
                        if (!fits) return Error("items: expected a dict");
                        return cursor.Next(context, element);
                      });
}

absl::StatusOr<Value> ReverseFilter(Context& context, const Value& value,
                                    const Arguments& arguments) {
  TERMINUS_RETURN_IF_ERROR(Bound::Make("reverse", arguments, {}, 0).status());
  if (value.text() != nullptr) {
    const Value none{Value::None()};
    return SliceOf(context, value, none, none, Value(int64_t{-1}));
  }
  const absl::StatusOr<Cursor> backwards = Cursor::Over(value, /*reversed=*/true);
  if (backwards.ok()) {
    return MakeIterator(context, *backwards,
                        [&context, cursor = *backwards](Value& element) mutable {
                          return cursor.Next(context, element);
                        });
  }
  TERMINUS_ASSIGN_OR_RETURN(const List all, Collect(context, value));
  return Value(List(all.rbegin(), all.rend()));
}

absl::StatusOr<Value> JoinFilter(Context& context, const Value& value, const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound,
                            Bound::Make("join", arguments, {"d", "attribute"}, 0));
  TERMINUS_ASSIGN_OR_RETURN(const AttributePath path,
                            AttributePath::Make(bound.ValueOr(1, Value(Value::None()))));
  Text separator;
  if (bound.has(0)) {
    TERMINUS_ASSIGN_OR_RETURN(separator, TextOf(context, bound.at(0)));
  }
  TERMINUS_ASSIGN_OR_RETURN(Cursor cursor, Cursor::Over(value));
  TextBuilder builder;
  Value element;
  for (bool first = true;; first = false) {
    TERMINUS_ASSIGN_OR_RETURN(const bool more, cursor.Next(context, element));
    if (!more) return Value(builder.Take());
    if (!first) builder.Append(separator);
    TERMINUS_ASSIGN_OR_RETURN(const Value shown, path.Get(context, element, Value(Value::None())));
    TERMINUS_RETURN_IF_ERROR(AppendText(context, shown, builder));
  }
}

// Lists of `count` elements; the last one is filled up.
absl::StatusOr<Value> BatchFilter(Context& context, const Value& value,
                                  const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound,
                            Bound::Make("batch", arguments, {"linecount", "fill_with"}, 1));
  const Value count = bound.at(0);
  const Value fill = bound.ValueOr(1, Value(Value::None()));
  TERMINUS_ASSIGN_OR_RETURN(const Cursor source, Cursor::Over(IsIterable(value) ? value : Value()));
  const auto next = [&context, cursor = source, value, count, fill, started = false, held = List(),
                     done = false](Value& element) mutable -> absl::StatusOr<bool> {
    if (!IsIterable(value)) return Error("batch: expected a sequence");
    if (done) return false;
    Value one;
    while (true) {
      TERMINUS_ASSIGN_OR_RETURN(const bool more, cursor.Next(context, one));
      if (!more) break;
      const bool full = Value(static_cast<int64_t>(held.size())) == count;
      List whole;
      if (full) whole = std::exchange(held, {});
      held.push_back(one);
      if (full) {
        element = Value(std::move(whole));
        return true;
      }
    }
    done = true;
    if (held.empty()) return false;
    if (!fill.is_none()) {
      if (!IndexOf(count)) return Error("batch: expected an integer");
      while (static_cast<int64_t>(held.size()) < *IndexOf(count)) {
        TERMINUS_RETURN_IF_ERROR(context.Step());
        held.push_back(fill);
      }
    }
    element = Value(std::move(held));
    return true;
  };
  return MakeIterator(context, source, next);
}

// `slices` lists of about the same length.
absl::StatusOr<Value> SliceFilter(Context& context, const Value& value,
                                  const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound,
                            Bound::Make("slice", arguments, {"slices", "fill_with"}, 1));
  TERMINUS_ASSIGN_OR_RETURN(const int64_t slices, bound.IntegerOr(0, 0));
  const Value fill = bound.ValueOr(1, Value(Value::None()));
  TERMINUS_ASSIGN_OR_RETURN(const Cursor source, Cursor::Over(IsIterable(value) ? value : Value()));
  const auto next = [&context, value, slices, fill, all = List(), started = false,
                     number = int64_t{0},
                     at = size_t{0}](Value& element) mutable -> absl::StatusOr<bool> {
    if (!started) {
      TERMINUS_ASSIGN_OR_RETURN(all, Collect(context, value));
      started = true;
    }
    if (slices == 0) return Error("slice: division by zero");
    if (number >= slices) return false;
    const auto size = static_cast<int64_t>(all.size());
    const bool longer = number < size % slices;
    List part;
    for (int64_t i = 0; i < size / slices + (longer ? 1 : 0); ++i) part.push_back(all[at++]);
    if (!fill.is_none() && !longer) part.push_back(fill);
    TERMINUS_RETURN_IF_ERROR(context.Step(part.size()));
    ++number;
    element = Value(std::move(part));
    return true;
  };
  return MakeIterator(context, source, next);
}

absl::StatusOr<Value> SumFilter(Context& context, const Value& value, const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound,
                            Bound::Make("sum", arguments, {"attribute", "start"}, 0));
  TERMINUS_ASSIGN_OR_RETURN(const AttributePath path,
                            AttributePath::Make(bound.ValueOr(0, Value(Value::None()))));
  Value sum = bound.ValueOr(1, Value(int64_t{0}));
  if (sum.text() != nullptr) return Error("sum: strings are not summed up");
  TERMINUS_ASSIGN_OR_RETURN(Cursor cursor, Cursor::Over(value));
  Value element;
  while (true) {
    TERMINUS_ASSIGN_OR_RETURN(const bool more, cursor.Next(context, element));
    if (!more) return sum;
    TERMINUS_ASSIGN_OR_RETURN(const Value one, path.Get(context, element, Value(Value::None())));
    TERMINUS_ASSIGN_OR_RETURN(sum, ApplyBinary(context, "+", sum, one));
  }
}

}  // namespace

const FilterTable& SequenceFilters() {
  static const auto& table = *new FilterTable{
      {"attr", AttrFilter},       {"batch", BatchFilter}, {"d", DefaultFilter},
      {"default", DefaultFilter}, {"first", FirstFilter}, {"items", ItemsFilter},
      {"join", JoinFilter},       {"last", LastFilter},   {"list", ListFilter},
      {"reverse", ReverseFilter}, {"slice", SliceFilter}, {"sum", SumFilter},
  };
  return table;
}

}  // namespace terminus::chat
