#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/chat/attribute_path.h"
#include "common/chat/filter_functions.h"
#include "common/chat/filters.h"
#include "common/chat/iteration.h"
#include "common/chat/value_tests.h"

namespace terminus::chat {
namespace {

absl::Status Error(absl::string_view message) { return absl::InvalidArgumentError(message); }

// What map does with each element: a filter by its name, or an attribute.
struct Mapping {
  static absl::StatusOr<Mapping> Make(const Arguments& arguments) {
    Mapping mapping;
    if (arguments.positional.empty()) {
      TERMINUS_ASSIGN_OR_RETURN(const Bound bound,
                                Bound::Make("map", arguments, {"attribute", "default"}, 1));
      mapping.by_attribute = true;
      TERMINUS_ASSIGN_OR_RETURN(mapping.path, AttributePath::Make(bound.at(0)));
      mapping.fallback = bound.ValueOr(1, Value(Value::None()));
      return mapping;
    }
    if (arguments.positional[0].text() == nullptr) return Error("map: expected a filter's name");
    mapping.filter = arguments.positional[0].text()->bytes;
    mapping.arguments.positional.assign(arguments.positional.begin() + 1,
                                        arguments.positional.end());
    mapping.arguments.named = arguments.named;
    return mapping;
  }

  absl::StatusOr<Value> Apply(Context& context, const Value& element) const {
    return by_attribute ? path.Get(context, element, fallback)
                        : ApplyFilter(context, filter, element, arguments);
  }

  bool by_attribute = false;
  AttributePath path;
  Value fallback;
  std::string filter;
  Arguments arguments;
};

absl::StatusOr<Value> MapFilter(Context& context, const Value& value, const Arguments& arguments) {
  // As the reference's generator: nothing is looked at before the first element is asked for, and
  // nothing at all when there is none.
  TERMINUS_ASSIGN_OR_RETURN(const Cursor source, Cursor::Over(IsIterable(value) ? value : Value()));
  const auto next =
      [&context, value, cursor = source, arguments,
       mapping = absl::optional<Mapping>()](Value& element) mutable -> absl::StatusOr<bool> {
    if (value.object() == nullptr && !value.Truthy()) return false;
    if (!mapping.has_value()) {
      TERMINUS_ASSIGN_OR_RETURN(mapping, Mapping::Make(arguments));
      if (!IsIterable(value)) return Error("map: expected a sequence");
    }
    TERMINUS_ASSIGN_OR_RETURN(const bool more, cursor.Next(context, element));
    if (!more) return false;
    TERMINUS_ASSIGN_OR_RETURN(element, mapping->Apply(context, element));
    return true;
  };
  return MakeIterator(context, source, next);
}

// What the selecting filters ask of each element: a test by its name, or whether it is true.
struct Selection {
  static absl::StatusOr<Selection> Make(const Arguments& arguments, bool by_attribute) {
    Selection selection;
    const List& all = arguments.positional;
    if (by_attribute && all.empty()) return Error("expected the name of an attribute");
    TERMINUS_ASSIGN_OR_RETURN(selection.path,
                              AttributePath::Make(by_attribute ? all[0] : Value(Value::None())));
    const size_t at = by_attribute ? 1 : 0;
    if (all.size() <= at) return selection;
    if (all[at].text() == nullptr) return Error("expected a test's name");
    selection.test = all[at].text()->bytes;
    selection.arguments.positional.assign(all.begin() + static_cast<int64_t>(at) + 1, all.end());
    selection.arguments.named = arguments.named;
    return selection;
  }

  absl::StatusOr<bool> Holds(Context& context, const Value& element) const {
    TERMINUS_ASSIGN_OR_RETURN(const Value value, path.Get(context, element, Value(Value::None())));
    if (test.empty()) return value.Truthy();
    return ApplyTest(context, test, value, arguments);
  }

  AttributePath path;
  std::string test;
  Arguments arguments;
};

template <bool kKeep, bool kByAttribute>
absl::StatusOr<Value> SelectFilter(Context& context, const Value& value,
                                   const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Cursor source, Cursor::Over(IsIterable(value) ? value : Value()));
  const auto next =
      [&context, value, cursor = source, arguments,
       selection = absl::optional<Selection>()](Value& element) mutable -> absl::StatusOr<bool> {
    if (value.object() == nullptr && !value.Truthy()) return false;
    if (!selection.has_value()) {
      TERMINUS_ASSIGN_OR_RETURN(selection, Selection::Make(arguments, kByAttribute));
      if (!IsIterable(value)) return Error("expected a sequence to select from");
    }
    while (true) {
      TERMINUS_ASSIGN_OR_RETURN(const bool more, cursor.Next(context, element));
      if (!more) return false;
      TERMINUS_ASSIGN_OR_RETURN(const bool holds, selection->Holds(context, element));
      if (holds == kKeep) return true;
    }
  };
  return MakeIterator(context, source, next);
}

}  // namespace

const FilterTable& SelectionFilters() {
  static const auto& table = *new FilterTable{
      {"map", MapFilter},
      {"reject", SelectFilter<false, false>},
      {"rejectattr", SelectFilter<false, true>},
      {"select", SelectFilter<true, false>},
      {"selectattr", SelectFilter<true, true>},
  };
  return table;
}

}  // namespace terminus::chat
