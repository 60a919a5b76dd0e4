#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/status_macros.h"
#include "common/chat/filter_functions.h"
#include "common/chat/iteration.h"
#include "common/chat/loop.h"
#include "common/chat/numbers.h"

namespace terminus::chat {
namespace {

absl::Status Error(absl::string_view message) { return absl::InvalidArgumentError(message); }

absl::StatusOr<Value> AbsFilter(Context&, const Value& value, const Arguments& arguments) {
  TERMINUS_RETURN_IF_ERROR(Bound::Make("abs", arguments, {}, 0).status());
  if (value.number() != nullptr) return Value(std::abs(*value.number()));
  const auto whole = IndexOf(value);
  if (!whole) return Error(absl::StrCat("abs: expected a number, not ", value.TypeName()));
  return Signed(*whole < 0 ? "-" : "+", value);
}

// float() of a value; nothing where Python raises a TypeError or ValueError.
absl::StatusOr<absl::optional<double>> ToFloat(const Value& value) {
  if (value.is_undefined()) return Error(value.WhyUndefined());
  if (value.text() != nullptr) return ParseFloat(*value.text());
  return FloatOf(value);
}

absl::StatusOr<Value> FloatFilter(Context& context, const Value& value,
                                  const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound, Bound::Make("float", arguments, {"default"}, 0));
  TERMINUS_RETURN_IF_ERROR(context.Charge(value));
  TERMINUS_ASSIGN_OR_RETURN(const auto number, ToFloat(value));
  return number ? Value(*number) : bound.ValueOr(0, Value(0.0));
}

absl::StatusOr<Value> IntFilter(Context& context, const Value& value, const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound,
                            Bound::Make("int", arguments, {"default", "base"}, 0));
  TERMINUS_RETURN_IF_ERROR(context.Charge(value));
  const Value otherwise = bound.ValueOr(0, Value(int64_t{0}));
  if (value.is_undefined()) return Error(value.WhyUndefined());
  if (const Text* const text = value.text(); text != nullptr) {
    TERMINUS_ASSIGN_OR_RETURN(const int64_t base, bound.IntegerOr(1, 10));
    TERMINUS_ASSIGN_OR_RETURN(const auto whole, ParseInteger(*text, base));
    if (whole) return Value(*whole);
    // "42.23" is 42.
    const auto number = ParseFloat(*text);
    if (!number || !std::isfinite(*number)) return otherwise;
    TERMINUS_ASSIGN_OR_RETURN(const int64_t truncated, Truncated(*number));
    return Value(truncated);
  }
  if (const auto whole = IndexOf(value); whole) return Value(*whole);
  if (value.number() == nullptr || std::isnan(*value.number())) return otherwise;
  TERMINUS_ASSIGN_OR_RETURN(const int64_t truncated, Truncated(*value.number()));
  return Value(truncated);
}

// round() of an integer to tens, hundreds …: half to even.
absl::StatusOr<Value> RoundedInteger(int64_t value, int64_t precision) {
  if (precision >= 0) return Value(value);
  constexpr int64_t kMostDigits = 18;
  if (-precision > kMostDigits) return Value(int64_t{0});
  int64_t unit = 1;
  for (int64_t i = 0; i < -precision; ++i) unit *= 10;
  const int64_t down = value / unit - (value % unit < 0 ? 1 : 0);
  const int64_t rest = value - down * unit;
  const bool up = rest > unit - rest || (rest == unit - rest && down % 2 != 0);
  return Arithmetic("*", Value(down + (up ? 1 : 0)), Value(unit));
}

absl::StatusOr<Value> RoundFilter(Context&, const Value& value, const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound,
                            Bound::Make("round", arguments, {"precision", "method"}, 0));
  std::string method = "common";
  if (bound.has(1)) {
    TERMINUS_ASSIGN_OR_RETURN(const Text* const given, bound.TextAt(1));
    method = given->bytes;
  }
  if (method != "common" && method != "ceil" && method != "floor") {
    return Error("round: the method is common, ceil or floor");
  }
  const auto whole = IndexOf(value);
  if (!whole && value.number() == nullptr) {
    return Error(absl::StrCat("round: expected a number, not ", value.TypeName()));
  }
  if (method == "common") {
    if (bound.has(0) && bound.at(0).is_none()) {
      if (whole) return Value(*whole);
      TERMINUS_ASSIGN_OR_RETURN(const double rounded, Rounded(*value.number(), 0));
      TERMINUS_ASSIGN_OR_RETURN(const int64_t integer, Truncated(rounded));
      return Value(integer);
    }
    TERMINUS_ASSIGN_OR_RETURN(const int64_t precision, bound.IntegerOr(0, 0));
    if (whole) return RoundedInteger(*whole, precision);
    TERMINUS_ASSIGN_OR_RETURN(const double rounded, Rounded(*value.number(), precision));
    return Value(rounded);
  }
  TERMINUS_ASSIGN_OR_RETURN(
      const Value unit, Arithmetic("**", Value(int64_t{10}), bound.ValueOr(0, Value(int64_t{0}))));
  TERMINUS_ASSIGN_OR_RETURN(Value scaled, Arithmetic("*", value, unit));
  if (scaled.number() != nullptr) {
    const double edge =
        method == "ceil" ? std::ceil(*scaled.number()) : std::floor(*scaled.number());
    TERMINUS_ASSIGN_OR_RETURN(const int64_t integer, Truncated(edge));
    scaled = Value(integer);
  }
  return Arithmetic("/", scaled, unit);
}

absl::StatusOr<Value> FileSizeFilter(Context&, const Value& value, const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound,
                            Bound::Make("filesizeformat", arguments, {"binary"}, 0));
  TERMINUS_ASSIGN_OR_RETURN(const auto bytes, ToFloat(value));
  if (!bytes) return Error("filesizeformat: expected a number");
  const bool binary = bound.TruthyOr(0, false);
  const double base = binary ? 1024 : 1000;
  if (*bytes == 1) return Value(std::string("1 Byte"));
  if (*bytes < base) {
    TERMINUS_ASSIGN_OR_RETURN(const int64_t whole, Truncated(*bytes));
    return Value(absl::StrCat(whole, " Bytes"));
  }
  constexpr absl::string_view kPrefixes = "kMGTPEZY";
  double unit = base;
  for (size_t i = 0;; ++i) {
    unit *= base;
    if (*bytes < unit || i + 1 == kPrefixes.size()) {
      const char prefix = binary && i == 0 ? 'K' : kPrefixes[i];
      return Value(absl::StrFormat("%.1f %c%s", base * *bytes / unit, prefix, binary ? "iB" : "B"));
    }
  }
}

absl::StatusOr<Value> LengthFilter(Context& context, const Value& value,
                                   const Arguments& arguments) {
  TERMINUS_RETURN_IF_ERROR(Bound::Make("length", arguments, {}, 0).status());
  if (auto* const loop = As<Loop>(value); loop != nullptr) {
    TERMINUS_ASSIGN_OR_RETURN(const int64_t length, loop->Length(context));
    return Value(length);
  }
  if (value.text() != nullptr) TERMINUS_RETURN_IF_ERROR(context.Charge(value));
  TERMINUS_ASSIGN_OR_RETURN(const int64_t length, LengthOf(value));
  return Value(length);
}

}  // namespace

const FilterTable& NumberFilters() {
  static const auto& table = *new FilterTable{
      {"abs", AbsFilter},     {"count", LengthFilter}, {"filesizeformat", FileSizeFilter},
      {"float", FloatFilter}, {"int", IntFilter},      {"length", LengthFilter},
      {"round", RoundFilter},
  };
  return table;
}

}  // namespace terminus::chat
