#include "common/chat/methods.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/chat/iteration.h"
#include "common/chat/loop.h"
#include "common/chat/objects.h"

namespace terminus::chat {
namespace {

using Call = absl::StatusOr<Value> (*)(Context&, const Value&, const Arguments&);
using Methods = std::map<absl::string_view, Call>;

absl::Status Error(absl::string_view message) { return absl::InvalidArgumentError(message); }

absl::Status NoArguments(absl::string_view method, const Arguments& arguments) {
  return Bound::Make(method, arguments, {}, 0).status();
}

// --- Lists, tuples and ranges.

absl::StatusOr<Value> CopyList(Context& context, const Value& value, const Arguments& arguments) {
  TERMINUS_RETURN_IF_ERROR(NoArguments("copy", arguments));
  TERMINUS_RETURN_IF_ERROR(context.Charge(value));
  return Value(*value.list());
}

absl::StatusOr<Value> Count(Context& context, const Value& value, const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound, Bound::Make("count", arguments, {"value"}, 1, 1));
  TERMINUS_ASSIGN_OR_RETURN(const List all, Collect(context, value));
  TERMINUS_RETURN_IF_ERROR(context.Charge(value));
  int64_t count = 0;
  for (const Value& element : all) count += element == bound.at(0) ? 1 : 0;
  return Value(count);
}

absl::StatusOr<Value> Index(Context& context, const Value& value, const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound,
                            Bound::Make("index", arguments, {"value", "start", "stop"}, 1, 3));
  if (value.range() != nullptr && bound.has(1)) return Error("index: one argument for a range");
  TERMINUS_ASSIGN_OR_RETURN(const List all, Collect(context, value));
  TERMINUS_RETURN_IF_ERROR(context.Charge(value));
  const auto size = static_cast<int64_t>(all.size());
  TERMINUS_ASSIGN_OR_RETURN(int64_t begin, bound.IntegerOr(1, 0));
  TERMINUS_ASSIGN_OR_RETURN(int64_t end, bound.IntegerOr(2, size));
  begin = begin < 0 ? std::max<int64_t>(begin + size, 0) : begin;
  end = end < 0 ? end + size : std::min(end, size);
  for (int64_t i = begin; i < end; ++i) {
    if (all[static_cast<size_t>(i)] == bound.at(0)) return Value(i);
  }
  return Error("index: the value is not in it");
}

// --- Dicts.

absl::StatusOr<Value> CopyDict(Context& context, const Value& value, const Arguments& arguments) {
  TERMINUS_RETURN_IF_ERROR(NoArguments("copy", arguments));
  TERMINUS_RETURN_IF_ERROR(context.Charge(value));
  return Value(*value.dict());
}

absl::StatusOr<Value> Get(Context&, const Value& value, const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound,
                            Bound::Make("get", arguments, {"key", "default"}, 1, 2));
  TERMINUS_ASSIGN_OR_RETURN(const Value* const found, value.dict()->Find(bound.at(0)));
  return found != nullptr ? *found : bound.ValueOr(1, Value(Value::None()));
}

template <Value::ViewKind kKind>
absl::StatusOr<Value> View(Context&, const Value& value, const Arguments& arguments) {
  TERMINUS_RETURN_IF_ERROR(NoArguments("this method", arguments));
  return Value::View(value, kKind);
}

absl::StatusOr<Value> FromKeys(Context& context, const Value&, const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound,
                            Bound::Make("fromkeys", arguments, {"iterable", "value"}, 1, 2));
  TERMINUS_ASSIGN_OR_RETURN(const List keys, Collect(context, bound.at(0)));
  Dict dict;
  for (const Value& key : keys) {
    TERMINUS_RETURN_IF_ERROR(dict.Set(key, bound.ValueOr(1, Value(Value::None()))));
  }
  return Value(std::move(dict));
}

// --- Numbers.

absl::StatusOr<Value> Conjugate(Context&, const Value& value, const Arguments& arguments) {
  TERMINUS_RETURN_IF_ERROR(NoArguments("conjugate", arguments));
  return IndexOf(value) ? Value(*IndexOf(value)) : value;
}

absl::StatusOr<Value> IsWhole(Context&, const Value& value, const Arguments& arguments) {
  TERMINUS_RETURN_IF_ERROR(NoArguments("is_integer", arguments));
  return Value(std::isfinite(*value.number()) && std::floor(*value.number()) == *value.number());
}

uint64_t Magnitude(int64_t value) {
  return value < 0 ? uint64_t{0} - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
}

absl::StatusOr<Value> BitLength(Context&, const Value& value, const Arguments& arguments) {
  TERMINUS_RETURN_IF_ERROR(NoArguments("bit_length", arguments));
  const uint64_t magnitude = Magnitude(*IndexOf(value));
  return Value(magnitude == 0 ? int64_t{0} : int64_t{64 - __builtin_clzll(magnitude)});
}

absl::StatusOr<Value> BitCount(Context&, const Value& value, const Arguments& arguments) {
  TERMINUS_RETURN_IF_ERROR(NoArguments("bit_count", arguments));
  return Value(int64_t{__builtin_popcountll(Magnitude(*IndexOf(value)))});
}

absl::StatusOr<Value> AsRatio(Context&, const Value& value, const Arguments& arguments) {
  TERMINUS_RETURN_IF_ERROR(NoArguments("as_integer_ratio", arguments));
  return Value::Tuple({Value(*IndexOf(value)), Value(int64_t{1})});
}

// --- Objects.

absl::StatusOr<Value> NextOfCycler(Context&, const Value& value, const Arguments& arguments) {
  TERMINUS_RETURN_IF_ERROR(NoArguments("next", arguments));
  auto* const cycler = As<Cycler>(value);
  const Value current = cycler->items[cycler->index];
  cycler->index = (cycler->index + 1) % cycler->items.size();
  return current;
}

absl::StatusOr<Value> ResetCycler(Context&, const Value& value, const Arguments& arguments) {
  TERMINUS_RETURN_IF_ERROR(NoArguments("reset", arguments));
  As<Cycler>(value)->index = 0;
  return Value(Value::None());
}

absl::StatusOr<Value> CycleOfLoop(Context&, const Value& value, const Arguments& arguments) {
  return As<Loop>(value)->Cycle(arguments);
}

absl::StatusOr<Value> ChangedInLoop(Context& context, const Value& value,
                                    const Arguments& arguments) {
  return As<Loop>(value)->Changed(context, arguments);
}

const Methods& MethodsOf(const Value& value) {
  static const auto& none = *new Methods;
  static const auto& list = *new Methods{{"copy", CopyList}, {"count", Count}, {"index", Index}};
  static const auto& tuple = *new Methods{{"count", Count}, {"index", Index}};
  static const auto& dict = *new Methods{{"copy", CopyDict},
                                         {"fromkeys", FromKeys},
                                         {"get", Get},
                                         {"items", View<Value::ViewKind::kItems>},
                                         {"keys", View<Value::ViewKind::kKeys>},
                                         {"values", View<Value::ViewKind::kValues>}};
  static const auto& integer = *new Methods{{"as_integer_ratio", AsRatio},
                                            {"bit_count", BitCount},
                                            {"bit_length", BitLength},
                                            {"conjugate", Conjugate}};
  static const auto& number = *new Methods{{"conjugate", Conjugate}, {"is_integer", IsWhole}};
  static const auto& cycler = *new Methods{{"next", NextOfCycler}, {"reset", ResetCycler}};
  static const auto& loop = *new Methods{{"changed", ChangedInLoop}, {"cycle", CycleOfLoop}};
  static const auto& dict_function = *new Methods{{"fromkeys", FromKeys}};
  if (value.list() != nullptr) return list;
  if (value.tuple() != nullptr || value.range() != nullptr) return tuple;
  if (value.dict() != nullptr) return dict;
  if (IndexOf(value)) return integer;
  if (value.number() != nullptr) return number;
  if (As<Cycler>(value) != nullptr) return cycler;
  if (As<Loop>(value) != nullptr) return loop;
  const auto* const function = As<Function>(value);
  if (function != nullptr && function->name == "dict") return dict_function;
  return none;
}

}  // namespace

bool HasOtherMethod(const Value& value, absl::string_view name) {
  return MethodsOf(value).count(name) > 0;
}

absl::StatusOr<Value> CallOtherMethod(Context& context, const Value& value, absl::string_view name,
                                      const Arguments& arguments) {
  return MethodsOf(value).at(name)(context, value, arguments);
}

bool IsOtherMethod(absl::string_view name) {
  constexpr absl::string_view kNames[] = {"as_integer_ratio",
                                          "bit_count",
                                          "bit_length",
                                          "changed",
                                          "conjugate",
                                          "copy",
                                          "count",
                                          "cycle",
                                          "fromkeys",
                                          "get",
                                          "index",
                                          "is_integer",
                                          "items",
                                          "keys",
                                          "next",
                                          "reset",
                                          "values"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

absl::StatusOr<Dict> MakeDict(Context& context, const Arguments& arguments) {
  if (arguments.positional.size() > 1) return Error("dict: at most one argument without a name");
  Dict dict;
  if (!arguments.positional.empty()) {
    const Value& from = arguments.positional[0];
    if (from.is_undefined()) return Error(from.WhyUndefined());
    TERMINUS_RETURN_IF_ERROR(context.Charge(from));
    if (from.dict() != nullptr) {
      dict = *from.dict();
    } else {
      TERMINUS_ASSIGN_OR_RETURN(const List pairs, Collect(context, from));
      for (const Value& pair : pairs) {
        TERMINUS_ASSIGN_OR_RETURN(const List parts, Collect(context, pair));
        if (parts.size() != 2) return Error("dict: expected pairs of a key and a value");
        TERMINUS_RETURN_IF_ERROR(dict.Set(parts[0], parts[1]));
      }
    }
  }
  for (const auto& [name, value] : arguments.named) dict.Set(name, value);
  return dict;
}

}  // namespace terminus::chat
