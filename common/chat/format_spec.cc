#include "common/chat/format_spec.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/status_macros.h"
#include "common/chat/arguments.h"
#include "common/chat/numbers.h"
#include "common/chat/represent.h"
#include "common/tokenizer/utf8.h"

namespace terminus::chat {
namespace {

absl::Status Error(absl::string_view message) { return absl::InvalidArgumentError(message); }

// [[fill]align][sign][#][0][width][grouping][.precision][type]
struct Spec {
  std::string fill = " ";
  char align = 0;  // < > = ^, or 0
  char sign = '-';
  bool alternate = false;
  int64_t width = -1;
  char grouping = 0;
  int64_t precision = -1;
  char type = 0;
};

bool IsAlign(char c) { return c == '<' || c == '>' || c == '=' || c == '^'; }

class SpecParser {
 public:
  explicit SpecParser(absl::string_view text) : rest_(text) {}

  absl::StatusOr<Spec> Run() {
    size_t fill = 0;
    if (!rest_.empty()) tokenizer::NextCodePoint(rest_, fill);
    const bool filled = fill > 0 && fill < rest_.size() && IsAlign(rest_[fill]);
    if (filled) {
      spec_.fill = std::string(rest_.substr(0, fill));
      rest_.remove_prefix(fill);
    }
    if (!rest_.empty() && IsAlign(rest_[0])) spec_.align = Take();
    if (!rest_.empty() && absl::StrContains("+- ", rest_.substr(0, 1))) spec_.sign = Take();
    if (absl::StartsWith(rest_, "z")) return Error("the format 'z' is not supported");
    if (absl::StartsWith(rest_, "#")) {
      Take();
      spec_.alternate = true;
    }
    // A zero before the width fills numbers behind their sign, unless the format says otherwise.
    if (!filled && absl::StartsWith(rest_, "0")) {
      spec_.fill.assign(1, '0');
      zero_aligned_ = spec_.align == 0;
      Take();
    }
    TERMINUS_ASSIGN_OR_RETURN(spec_.width, Number());
    if (absl::StartsWith(rest_, ",") || absl::StartsWith(rest_, "_")) spec_.grouping = Take();
    if (absl::StartsWith(rest_, ",") || absl::StartsWith(rest_, "_")) {
      return Error("a format with two separators of digits");
    }
    if (absl::StartsWith(rest_, ".")) {
      Take();
      TERMINUS_ASSIGN_OR_RETURN(spec_.precision, Number());
      if (spec_.precision < 0) return Error("a format without digits behind its point");
      if (spec_.precision > kMaxPrecision) {
        return Error(absl::StrCat("a format of more than ", kMaxPrecision, " digits"));
      }
    }
    if (rest_.size() > 1) return Error("a format that is not valid");
    if (!rest_.empty()) spec_.type = Take();
    return spec_;
  }

  // Whether the zero before the width says where numbers are filled.
  bool zero_aligned() const { return zero_aligned_; }

 private:
  char Take() {
    const char c = rest_[0];
    rest_.remove_prefix(1);
    return c;
  }

  absl::StatusOr<int64_t> Number() {
    int64_t number = -1;
    while (!rest_.empty() && absl::ascii_isdigit(rest_[0])) {
      number = std::max<int64_t>(number, 0) * 10 + (Take() - '0');
      if (number > static_cast<int64_t>(kMaxWeight)) return CheckTextSize(kMaxWeight + 1);
    }
    return number;
  }

  absl::string_view rest_;
  Spec spec_;
  bool zero_aligned_ = false;
};

// Puts a body behind its sign and prefix, filled to the width.
Text Aligned(const Spec& spec, char default_align, absl::string_view lead, const Text& body) {
  const int64_t size = CountCharacters(lead) + CountCharacters(body.bytes);
  const int64_t missing = std::max<int64_t>(spec.width - size, 0);
  const char align = spec.align != 0 ? spec.align : default_align;
  const int64_t before = align == '<' || align == '=' ? 0 : align == '^' ? missing / 2 : missing;
  const auto fill = [&](TextBuilder& builder, int64_t times) {
    for (int64_t i = 0; i < times; ++i) builder.Append(spec.fill);
  };
  TextBuilder builder;
  fill(builder, before);
  builder.Append(lead);
  if (align == '=') fill(builder, missing);
  builder.Append(body);
  if (align != '=') fill(builder, missing - before);
  return builder.Take();
}

std::string Grouped(const std::string& digits, char separator, size_t size) {
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % size == 0) out.push_back(separator);
    out.push_back(digits[i]);
  }
  return out;
}

// A number from its sign, prefix, digits and what stands behind them.
Text FormatDigits(const Spec& spec, bool negative, absl::string_view prefix, std::string digits,
                  absl::string_view behind, size_t group) {
  const std::string sign = negative ? "-" : spec.sign == '-' ? "" : std::string(1, spec.sign);
  if (spec.grouping != 0) {
    std::string grouped = Grouped(digits, spec.grouping, group);
    const bool zeros = spec.fill == "0" && spec.align == '=';
    const auto width =
        spec.width - static_cast<int64_t>(sign.size() + prefix.size() + behind.size());
    while (zeros && static_cast<int64_t>(grouped.size()) < width) {
      digits.insert(digits.begin(), '0');
      grouped = Grouped(digits, spec.grouping, group);
    }
    digits = std::move(grouped);
  }
  return Aligned(spec, '>', absl::StrCat(sign, prefix), Text(absl::StrCat(digits, behind)));
}

absl::StatusOr<Text> FormatInteger(const Spec& spec, int64_t value) {
  if (spec.precision >= 0) return Error("an integer's format has no precision");
  if (spec.type == 'c') {
    if (spec.sign != '-' || spec.alternate || spec.grouping != 0) {
      return Error("the format 'c' has no sign");
    }
    if (value < 0 || value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) {
      return Error("the format 'c' needs the number of a character");
    }
    std::string character;
    tokenizer::AppendUtf8(static_cast<char32_t>(value), character);
    return Aligned(spec, '>', "", Text(std::move(character)));
  }
  const int base = spec.type == 'b'                       ? 2
                   : spec.type == 'o'                     ? 8
                   : spec.type == 'x' || spec.type == 'X' ? 16
                                                          : 10;
  if (spec.grouping == ',' && base != 10) return Error("',' goes with decimal digits only");
  if (spec.grouping != 0 && spec.type == 'n') return Error("'n' has no separators of digits");
  const std::string prefix =
      spec.alternate && base != 10 ? absl::StrCat("0", std::string(1, spec.type)) : "";
  return FormatDigits(spec, value < 0, prefix, IntegerDigits(value, base, spec.type == 'X'), "",
                      base == 10 ? 3 : 4);
}

// Without a type: as 'g', but with a digit behind the point.
std::string GeneralDigits(double value, int precision) {
  precision = std::max(precision, 1);
  const std::string text = absl::StrFormat("%.*e", precision - 1, std::abs(value));
  const size_t e = text.find('e');
  const int point = std::atoi(text.c_str() + e + 1) + 1;
  constexpr int kLeastPlain = -4;
  const bool with_exponent = point <= kLeastPlain || point > precision - 1;
  std::string digits = FloatDigits(value, 'g', precision, /*alternate=*/false);
  if (value == 0) return "0.0";
  if (with_exponent) {
    std::string mantissa = text.substr(0, e);
    if (absl::StrContains(mantissa, ".")) {
      mantissa.erase(mantissa.find_last_not_of('0') + 1);
      if (mantissa.back() == '.') mantissa.pop_back();
    }
    return mantissa + text.substr(e);
  }
  return absl::StrContains(digits, ".") ? digits : digits + ".0";
}

absl::StatusOr<Text> FormatFloat(const Spec& spec, double value) {
  const bool percent = spec.type == '%';
  const double shown = percent ? value * 100 : value;
  const bool finite = std::isfinite(shown);
  std::string digits;
  if (spec.type == 0 && finite) {
    digits = spec.precision < 0 ? FloatText(std::abs(shown))
                                : GeneralDigits(shown, static_cast<int>(spec.precision));
    if (spec.alternate) return Error("the format '#' without a type is not supported");
  } else {
    const char type = percent ? 'f' : spec.type == 'n' ? 'g' : spec.type == 0 ? 'g' : spec.type;
    constexpr int kDefaultPrecision = 6;
    digits = FloatDigits(shown, type,
                         spec.precision < 0 ? kDefaultPrecision : static_cast<int>(spec.precision),
                         spec.alternate);
  }
  if (spec.grouping != 0 && spec.type == 'n') return Error("'n' has no separators of digits");
  const size_t whole =
      finite ? std::min(digits.find_first_not_of("0123456789"), digits.size()) : digits.size();
  const std::string behind = absl::StrCat(digits.substr(whole), percent ? "%" : "");
  Spec used = spec;
  if (!finite) used.grouping = 0;
  const bool negative = std::signbit(shown) && !std::isnan(shown);
  return FormatDigits(used, negative, "", digits.substr(0, whole), behind, 3);
}

absl::StatusOr<Text> FormatText(const Spec& spec, const Text& text) {
  if (spec.type != 0 && spec.type != 's') {
    return Error(absl::StrCat("the format '", std::string(1, spec.type), "' is not of strings"));
  }
  if (spec.sign != '-' || spec.alternate || spec.grouping != 0 || spec.align == '=') {
    return Error("a format of numbers for a string");
  }
  if (spec.precision < 0) return Aligned(spec, '<', "", text);
  const std::vector<size_t> offsets = CharacterOffsets(text.bytes);
  const auto kept = std::min(static_cast<size_t>(spec.precision), offsets.size() - 1);
  return Aligned(spec, '<', "", Slice(text, 0, offsets[kept]));
}

}  // namespace

std::string IntegerDigits(int64_t value, int base, bool upper) {
  uint64_t rest =
      value < 0 ? uint64_t{0} - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  std::string digits;
  do {
    const auto digit = static_cast<int>(rest % static_cast<uint64_t>(base));
    digits.push_back(
        static_cast<char>(digit < 10 ? '0' + digit : (upper ? 'A' : 'a') + digit - 10));
    rest /= static_cast<uint64_t>(base);
  } while (rest > 0);
  std::reverse(digits.begin(), digits.end());
  return digits;
}

std::string FloatDigits(double value, char type, int precision, bool alternate) {
  const bool upper = absl::ascii_isupper(type);
  if (std::isnan(value)) return upper ? "NAN" : "nan";
  if (std::isinf(value)) return upper ? "INF" : "inf";
  value = std::abs(value);
  switch (type) {
    case 'e':
      return alternate ? absl::StrFormat("%#.*e", precision, value)
                       : absl::StrFormat("%.*e", precision, value);
    case 'E':
      return alternate ? absl::StrFormat("%#.*E", precision, value)
                       : absl::StrFormat("%.*E", precision, value);
    case 'g':
      return alternate ? absl::StrFormat("%#.*g", precision, value)
                       : absl::StrFormat("%.*g", precision, value);
    case 'G':
      return alternate ? absl::StrFormat("%#.*G", precision, value)
                       : absl::StrFormat("%.*G", precision, value);
    default:
      return alternate ? absl::StrFormat("%#.*f", precision, value)
                       : absl::StrFormat("%.*f", precision, value);
  }
}

absl::StatusOr<Text> FormatValue(Context& context, const Value& value, const Text& spec) {
  if (spec.bytes.empty()) return TextOf(context, value);
  SpecParser parser(spec.bytes);
  TERMINUS_ASSIGN_OR_RETURN(Spec parsed, parser.Run());
  if (parsed.width >= 0) {
    TERMINUS_RETURN_IF_ERROR(
        context.ChargeBytes(static_cast<size_t>(parsed.width) * parsed.fill.size()));
  }
  if (value.text() != nullptr) return FormatText(parsed, *value.text());
  if (parser.zero_aligned()) parsed.align = '=';
  const auto whole = IndexOf(value);
  if (whole && (parsed.type == 0 || absl::StrContains("bcdnoxX", std::string(1, parsed.type)))) {
    return FormatInteger(parsed, *whole);
  }
  const auto number = FloatOf(value);
  if (number && (parsed.type == 0 || absl::StrContains("eEfFgGn%", std::string(1, parsed.type)))) {
    return FormatFloat(parsed, *number);
  }
  return Error(absl::StrCat("the format '", spec.bytes, "' is not of ", value.TypeName()));
}

}  // namespace terminus::chat
