#include <algorithm>
#include <cmath>
#include <string>
#include <unordered_set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"
#include "common/chat/attribute_path.h"
#include "common/chat/filter_functions.h"
#include "common/chat/iteration.h"
#include "common/chat/operators.h"

namespace terminus::chat {
namespace {

absl::Status Error(absl::string_view message) { return absl::InvalidArgumentError(message); }

// An element and what it is sorted by.
using Keyed = std::pair<Value, Value>;

// Python's sorted() by the second parts, which keeps the order of equal ones.
absl::Status Sort(Context& context, std::vector<Keyed>& all, bool reverse) {
  absl::Status status;
  for (const Keyed& one : all) {
    // Where nan ends up is up to how Python sorts.
    if (one.second.number() != nullptr && std::isnan(*one.second.number())) {
      return Error("nan cannot be sorted");
    }
  }
  std::stable_sort(all.begin(), all.end(), [&](const Keyed& a, const Keyed& b) {
    if (!status.ok()) return false;
    const absl::StatusOr<bool> less = reverse ? Compare(context, "<", b.second, a.second)
                                              : Compare(context, "<", a.second, b.second);
    if (!less.ok()) status = less.status();
    return less.ok() && *less;
  });
  return status;
}

List FirstParts(const std::vector<Keyed>& all) {
  List elements;
  for (const Keyed& one : all) elements.push_back(one.first);
  return elements;
}

// Several attributes with commas between them: the key is a list.
absl::StatusOr<std::vector<AttributePath>> Paths(const Value& attribute) {
  std::vector<AttributePath> paths;
  if (attribute.text() == nullptr) {
    TERMINUS_ASSIGN_OR_RETURN(paths.emplace_back(), AttributePath::Make(attribute));
    return paths;
  }
  for (const absl::string_view part : absl::StrSplit(attribute.text()->bytes, ',')) {
    TERMINUS_ASSIGN_OR_RETURN(paths.emplace_back(), AttributePath::Make(Value(std::string(part))));
  }
  return paths;
}

absl::StatusOr<Value> SortFilter(Context& context, const Value& value, const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(
      const Bound bound,
      Bound::Make("sort", arguments, {"reverse", "case_sensitive", "attribute"}, 0));
  TERMINUS_ASSIGN_OR_RETURN(const std::vector<AttributePath> paths,
                            Paths(bound.ValueOr(2, Value(Value::None()))));
  TERMINUS_ASSIGN_OR_RETURN(const List elements, Collect(context, value));
  std::vector<Keyed> all;
  for (const Value& element : elements) {
    List key;
    for (const AttributePath& path : paths) {
      TERMINUS_ASSIGN_OR_RETURN(const Value part, path.Get(context, element, Value(Value::None())));
      key.push_back(bound.TruthyOr(1, false) ? part : WithoutCase(part));
      if (part.number() != nullptr && std::isnan(*part.number())) {
        return Error("nan cannot be sorted");
      }
    }
    all.emplace_back(element, Value(std::move(key)));
  }
  // sorted() takes an integer for `reverse`.
  TERMINUS_ASSIGN_OR_RETURN(const int64_t reverse, bound.IntegerOr(0, 0));
  TERMINUS_RETURN_IF_ERROR(Sort(context, all, reverse != 0));
  return Value(FirstParts(all));
}

absl::StatusOr<Value> DictSortFilter(Context& context, const Value& value,
                                     const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound, Bound::Make("dictsort", arguments,
                                                           {"case_sensitive", "by", "reverse"}, 0));
  size_t part = 0;
  if (bound.has(1)) {
    const Text* const by = bound.at(1).text();
    if (by == nullptr || (by->bytes != "key" && by->bytes != "value")) {
      return Error("dictsort: by is 'key' or 'value'");
    }
    part = by->bytes == "key" ? 0 : 1;
  }
  if (value.dict() == nullptr) {
    return Error(absl::StrCat("dictsort: expected a dict, not ", value.TypeName()));
  }
  std::vector<Keyed> all;
  for (const auto& [key, element] : value.dict()->entries()) {
    TERMINUS_RETURN_IF_ERROR(context.Step());
    const Value& by = part == 0 ? key : element;
    all.emplace_back(Value::Tuple({key, element}), bound.TruthyOr(0, false) ? by : WithoutCase(by));
  }
  TERMINUS_ASSIGN_OR_RETURN(const int64_t reverse, bound.IntegerOr(2, 0));
  TERMINUS_RETURN_IF_ERROR(Sort(context, all, reverse != 0));
  return Value(FirstParts(all));
}

template <bool kMost>
absl::StatusOr<Value> ExtremeFilter(Context& context, const Value& value,
                                    const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound, Bound::Make(kMost ? "max" : "min", arguments,
                                                           {"case_sensitive", "attribute"}, 0));
  TERMINUS_ASSIGN_OR_RETURN(const AttributePath path,
                            AttributePath::Make(bound.ValueOr(1, Value(Value::None()))));
  TERMINUS_ASSIGN_OR_RETURN(const List elements, Collect(context, value));
  if (elements.empty()) return Value::Undefined("no aggregated item, the sequence was empty");
  Value best;
  Value best_key;
  for (size_t i = 0; i < elements.size(); ++i) {
    TERMINUS_ASSIGN_OR_RETURN(Value key, path.Get(context, elements[i], Value(Value::None())));
    if (!bound.TruthyOr(0, false)) key = WithoutCase(key);
    bool better = i == 0;
    if (!better) {
      TERMINUS_ASSIGN_OR_RETURN(better, Compare(context, kMost ? ">" : "<", key, best_key));
    }
    if (better) {
      best = elements[i];
      best_key = key;
    }
  }
  return best;
}

absl::StatusOr<Value> UniqueFilter(Context& context, const Value& value,
                                   const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound,
                            Bound::Make("unique", arguments, {"case_sensitive", "attribute"}, 0));
  TERMINUS_ASSIGN_OR_RETURN(const AttributePath path,
                            AttributePath::Make(bound.ValueOr(1, Value(Value::None()))));
  const bool with_case = bound.TruthyOr(0, false);
  TERMINUS_ASSIGN_OR_RETURN(const Cursor source, Cursor::Over(IsIterable(value) ? value : Value()));
  const auto next =
      [&context, value, cursor = source, path, with_case,
       seen = std::unordered_set<std::string>()](Value& element) mutable -> absl::StatusOr<bool> {
    if (!IsIterable(value)) return Error("unique: expected a sequence");
    while (true) {
      TERMINUS_ASSIGN_OR_RETURN(const bool more, cursor.Next(context, element));
      if (!more) return false;
      TERMINUS_ASSIGN_OR_RETURN(const Value key, path.Get(context, element, Value(Value::None())));
      TERMINUS_ASSIGN_OR_RETURN(std::string hashed, HashKey(with_case ? key : WithoutCase(key)));
      TERMINUS_RETURN_IF_ERROR(context.ChargeBytes(hashed.size()));
      if (seen.insert(std::move(hashed)).second) return true;
    }
  };
  return MakeIterator(context, source, next);
}

absl::StatusOr<Value> GroupByFilter(Context& context, const Value& value,
                                    const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(
      const Bound bound,
      Bound::Make("groupby", arguments, {"attribute", "default", "case_sensitive"}, 1));
  TERMINUS_ASSIGN_OR_RETURN(const AttributePath path, AttributePath::Make(bound.at(0)));
  const Value fallback = bound.ValueOr(1, Value(Value::None()));
  const bool with_case = bound.TruthyOr(2, false);
  TERMINUS_ASSIGN_OR_RETURN(const List elements, Collect(context, value));
  std::vector<Keyed> all;
  for (const Value& element : elements) {
    TERMINUS_ASSIGN_OR_RETURN(const Value key, path.Get(context, element, fallback));
    all.emplace_back(element, with_case ? key : WithoutCase(key));
  }
  TERMINUS_RETURN_IF_ERROR(Sort(context, all, /*reverse=*/false));
  List groups;
  for (size_t begin = 0; begin < all.size();) {
    size_t end = begin;
    List group;
    while (end < all.size() && all[end].second == all[begin].second) {
      group.push_back(all[end++].first);
    }
    // The key as the first element has it, in its case.
    TERMINUS_ASSIGN_OR_RETURN(const Value key, path.Get(context, all[begin].first, fallback));
    groups.push_back(Value::Group(key, Value(std::move(group))));
    begin = std::max(end, begin + 1);
  }
  return Value(std::move(groups));
}

}  // namespace

const FilterTable& OrderFilters() {
  static const auto& table = *new FilterTable{
      {"dictsort", DictSortFilter},  {"groupby", GroupByFilter}, {"max", ExtremeFilter<true>},
      {"min", ExtremeFilter<false>}, {"sort", SortFilter},       {"unique", UniqueFilter},
  };
  return table;
}

}  // namespace terminus::chat
