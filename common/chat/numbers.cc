#include "common/chat/numbers.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/status_macros.h"
#include "common/chat/arguments.h"
#include "common/chat/text_methods.h"
#include "common/chat/unicode.h"
#include "common/tokenizer/utf8.h"

namespace terminus::chat {
namespace {

// Integers up to here are exact as floats.
constexpr int64_t kMostExact = int64_t{1} << 53;

absl::Status Error(absl::string_view message) { return absl::InvalidArgumentError(message); }
absl::Status TooLarge() { return Error("an integer of more than 64 bits is not supported"); }

absl::StatusOr<Value> IntegerPower(int64_t base, int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) return Error("division by zero");
    return Value(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  }
  int64_t result = 1;
  if (base == 0 || base == 1) return Value(exponent == 0 ? int64_t{1} : base);
  if (base == -1) return Value(exponent % 2 == 0 ? int64_t{1} : int64_t{-1});
  for (int64_t i = 0; i < exponent; ++i) {
    if (__builtin_mul_overflow(result, base, &result)) return TooLarge();
  }
  return Value(result);
}

// a // b or a % b, rounded towards minus infinity. b is not 0.
absl::StatusOr<Value> IntegerDivision(bool floor, int64_t a, int64_t b) {
  if (b == -1) {
    if (!floor) return Value(int64_t{0});
    int64_t negated = 0;
    if (__builtin_sub_overflow(int64_t{0}, a, &negated)) return TooLarge();
    return Value(negated);
  }
  const int64_t down = a % b != 0 && (a < 0) != (b < 0) ? 1 : 0;
  return Value(floor ? a / b - down : a % b + down * b);
}

absl::StatusOr<Value> IntegerArithmetic(absl::string_view op, int64_t a, int64_t b) {
  int64_t result = 0;
  bool overflow = false;
  if (op == "**") return IntegerPower(a, b);
  if (op == "+") {
    overflow = __builtin_add_overflow(a, b, &result);
  } else if (op == "-") {
    overflow = __builtin_sub_overflow(a, b, &result);
  } else if (op == "*") {
    overflow = __builtin_mul_overflow(a, b, &result);
  } else {
    if (b == 0) return Error("division by zero");
    if (op != "/") return IntegerDivision(op == "//", a, b);
    if (std::max(a, b) > kMostExact || std::min(a, b) < -kMostExact) return TooLarge();
    return Value(static_cast<double>(a) / static_cast<double>(b));
  }
  if (overflow) return TooLarge();
  return Value(result);
}

// a // b or a % b of floats, as Python's divmod works them out. b is not 0.
double FloatDivision(bool floor, double a, double b) {
  double remainder = std::fmod(a, b);
  double quotient = (a - remainder) / b;
  if (remainder != 0) {
    if ((b < 0) != (remainder < 0)) {
      remainder += b;
      quotient -= 1;
    }
  } else {
    remainder = std::copysign(0.0, b);
  }
  if (!floor) return remainder;
  if (quotient == 0) return std::copysign(0.0, a / b);
  const double whole = std::floor(quotient);
  return quotient - whole > 0.5 ? whole + 1 : whole;
}

absl::StatusOr<Value> FloatPower(double base, double exponent) {
  if (base == 0 && exponent < 0) return Error("division by zero");
  if (base < 0 && std::isfinite(exponent) && std::floor(exponent) != exponent &&
      std::isfinite(base)) {
    return Error("a complex number is not supported");
  }
  const double result = std::pow(base, exponent);
  if (std::isinf(result) && std::isfinite(base) && std::isfinite(exponent)) {
    return Error("a float is too large");
  }
  return Value(result);
}

// A number's text without white space around it, in ASCII digits: Python knows those of all
// scripts.
std::string PlainDigits(const Text& text) {
  const Text stripped = StrippedOfSpace(text);
  std::string plain;
  for (size_t at = 0; at < stripped.bytes.size();) {
    const char32_t c = tokenizer::NextCodePoint(stripped.bytes, at);
    const int digit = c > 0x7f && IsDecimal(c) ? DecimalValue(c) : -1;
    plain.push_back(digit >= 0  ? static_cast<char>('0' + digit)
                    : c <= 0x7f ? static_cast<char>(c)
                                : '?');
  }
  return plain;
}

// The digits of a number without its underscores, which may stand between digits only; false when
// one stands elsewhere.
bool DropUnderscores(absl::string_view text, std::string& digits) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      digits.push_back(text[i]);
    } else if (i == 0 || i + 1 == text.size() || !absl::ascii_isalnum(text[i - 1]) ||
               !absl::ascii_isalnum(text[i + 1])) {
      return false;
    }
  }
  return true;
}

}  // namespace

absl::optional<double> FloatOf(const Value& value) {
  if (value.number() != nullptr) return *value.number();
  if (const auto integer = IndexOf(value); integer) return static_cast<double>(*integer);
  return absl::nullopt;
}

absl::StatusOr<Value> Arithmetic(absl::string_view op, const Value& left, const Value& right) {
  const auto whole_left = IndexOf(left);
  const auto whole_right = IndexOf(right);
  if (whole_left && whole_right) return IntegerArithmetic(op, *whole_left, *whole_right);
  const auto a = FloatOf(left);
  const auto b = FloatOf(right);
  if (!a || !b) {
    return Error(
        absl::StrCat("'", op, "' does not work on ", left.TypeName(), " and ", right.TypeName()));
  }
  if (op == "+") return Value(*a + *b);
  if (op == "-") return Value(*a - *b);
  if (op == "*") return Value(*a * *b);
  if (op == "**") return FloatPower(*a, *b);
  if (*b == 0) return Error("division by zero");
  if (op == "/") return Value(*a / *b);
  return Value(FloatDivision(op == "//", *a, *b));
}

absl::StatusOr<Value> Signed(absl::string_view op, const Value& value) {
  if (value.number() != nullptr) return Value(op == "-" ? -*value.number() : *value.number());
  const auto integer = IndexOf(value);
  if (!integer) return Error(absl::StrCat("'", op, "' does not work on ", value.TypeName()));
  if (op == "+") return Value(*integer);
  return IntegerArithmetic("-", 0, *integer);
}

std::string FloatText(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  if (value == 0) return std::signbit(value) ? "-0.0" : "0.0";
  // d.ddde±xx with the fewest digits.
  char buffer[64];
  const auto end =
      std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::scientific);
  const absl::string_view text(buffer, static_cast<size_t>(end.ptr - buffer));
  const size_t e = text.find('e');
  const int exponent = std::atoi(std::string(text.substr(e + 1)).c_str());
  constexpr int kLeastPlain = -4;
  constexpr int kMostPlain = 16;
  if (exponent < kLeastPlain || exponent >= kMostPlain) {
    return absl::StrCat(text.substr(0, e), exponent < 0 ? "e-" : "e+",
                        std::abs(exponent) < 10 ? "0" : "", std::abs(exponent));
  }
  std::string digits;
  for (const char c : text.substr(0, e)) {
    if (absl::ascii_isdigit(c)) digits.push_back(c);
  }
  std::string out = value < 0 ? "-" : "";
  if (exponent < 0) {
    absl::StrAppend(&out, "0.", std::string(static_cast<size_t>(-exponent - 1), '0'), digits);
    return out;
  }
  const auto whole = static_cast<size_t>(exponent) + 1;
  if (digits.size() < whole) digits.append(whole - digits.size(), '0');
  absl::StrAppend(&out, digits.substr(0, whole), ".",
                  digits.size() > whole ? digits.substr(whole) : "0");
  return out;
}

absl::StatusOr<absl::optional<int64_t>> ParseInteger(const Text& text, int64_t base) {
  if (base != 0 && (base < 2 || base > 36)) return absl::optional<int64_t>();
  const std::string plain = PlainDigits(text);
  absl::string_view rest = plain;
  const bool negative = absl::StartsWith(rest, "-");
  if (negative || absl::StartsWith(rest, "+")) rest.remove_prefix(1);
  const auto prefix = [&](int64_t of, char name) {
    if ((base != 0 && base != of) || rest.size() < 2 || rest[0] != '0' ||
        absl::ascii_tolower(rest[1]) != name) {
      return false;
    }
    base = of;
    rest.remove_prefix(2);
    if (absl::StartsWith(rest, "_")) rest.remove_prefix(1);
    return true;
  };
  const bool prefixed = prefix(16, 'x') || prefix(8, 'o') || prefix(2, 'b');
  std::string digits;
  if (rest.empty() || !DropUnderscores(rest, digits)) return absl::optional<int64_t>();
  if (base == 0) {
    base = 10;
    // Without a base, only zeros may begin with a zero.
    if (!prefixed && digits[0] == '0' && digits.find_first_not_of('0') != std::string::npos) {
      return absl::optional<int64_t>();
    }
  }
  int64_t value = 0;
  bool overflow = false;
  for (const char c : digits) {
    if (!absl::ascii_isalnum(c)) return absl::optional<int64_t>();
    const int64_t digit = absl::ascii_isdigit(c) ? c - '0' : absl::ascii_tolower(c) - 'a' + 10;
    if (digit >= base) return absl::optional<int64_t>();
    overflow |= __builtin_mul_overflow(value, base, &value) ||
                __builtin_add_overflow(value, negative ? -digit : digit, &value);
  }
  if (overflow) return TooLarge();
  return absl::optional<int64_t>(value);
}

absl::optional<double> ParseFloat(const Text& text) {
  std::string digits;
  if (!DropUnderscores(PlainDigits(text), digits)) return absl::nullopt;
  absl::string_view number = digits;
  const bool negative = absl::StartsWith(number, "-");
  if (negative || absl::StartsWith(number, "+")) number.remove_prefix(1);
  const std::string lower = absl::AsciiStrToLower(number);
  if (lower == "inf" || lower == "infinity") {
    return negative ? -std::numeric_limits<double>::infinity()
                    : std::numeric_limits<double>::infinity();
  }
  if (lower == "nan") return std::numeric_limits<double>::quiet_NaN();
  if (number.empty() || !(absl::ascii_isdigit(number[0]) || number[0] == '.') ||
      lower.find('x') != std::string::npos) {
    return absl::nullopt;
  }
  const std::string whole(number);
  char* end = nullptr;
  const double value = std::strtod(whole.c_str(), &end);
  if (end != whole.c_str() + whole.size()) return absl::nullopt;
  return negative ? -value : value;
}

absl::StatusOr<int64_t> Truncated(double value) {
  constexpr double kLimit = 9223372036854775808.0;
  if (!(value < kLimit && value >= -kLimit)) return TooLarge();
  return static_cast<int64_t>(value);
}

absl::StatusOr<double> Rounded(double value, int64_t digits) {
  constexpr int64_t kMostDigits = 300;
  if (!std::isfinite(value) || digits > kMostDigits) return value;
  if (digits < -kMostDigits) return std::copysign(0.0, value);
  if (digits >= 0) {
    // Decimal rounding of the exact value, ties to even: as Python's correctly rounded way.
    return std::strtod(absl::StrFormat("%.*f", static_cast<int>(digits), value).c_str(), nullptr);
  }
  // To tens, hundreds …: by the digits before the point.
  const std::string whole = absl::StrFormat("%.0f", std::trunc(std::abs(value)));
  const auto dropped = static_cast<size_t>(-digits);
  if (dropped > whole.size()) return std::copysign(0.0, value);
  std::string kept = absl::StrCat("0", whole.substr(0, whole.size() - dropped));
  const std::string rest = whole.substr(whole.size() - dropped);
  const bool exact = std::trunc(value) == value;
  const std::string half = absl::StrCat("5", std::string(dropped - 1, '0'));
  const bool up = rest > half || (rest == half && (!exact || (kept.back() - '0') % 2 != 0));
  for (size_t i = kept.size(); up && i-- > 0;) {
    if (kept[i] != '9') {
      ++kept[i];
      break;
    }
    kept[i] = '0';
  }
  const double result = std::strtod((kept + std::string(dropped, '0')).c_str(), nullptr);
  if (std::isinf(result)) return Error("a float is too large");
  return std::copysign(result, value);
}

}  // namespace terminus::chat
