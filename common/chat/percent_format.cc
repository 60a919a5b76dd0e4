#include "common/chat/percent_format.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/chat/arguments.h"
#include "common/chat/format_spec.h"
#include "common/chat/numbers.h"
#include "common/chat/represent.h"
#include "common/tokenizer/utf8.h"

namespace terminus::chat {
namespace {

absl::Status Error(absl::string_view message) { return absl::InvalidArgumentError(message); }

// %[(key)][flags][width][.precision]type
struct Conversion {
  bool left = false;
  bool plus = false;
  bool space = false;
  bool alternate = false;
  bool zero = false;
  int64_t width = -1;
  int64_t precision = -1;
  char type = 0;
};

class PercentFormatter {
 public:
  PercentFormatter(Context& context, const Text& format, const Value& arguments)
      : context_(context), format_(format), bytes_(format.bytes), arguments_(arguments) {
    // Whatever has elements to get by an index may be asked for keys.
    mapping_ = arguments.dict() != nullptr || arguments.list() != nullptr ||
               arguments.range() != nullptr || arguments.is_undefined();
  }

  absl::StatusOr<Value> Run() {
    while (at_ < bytes_.size()) {
      const size_t percent = std::min(bytes_.find('%', at_), bytes_.size());
      out_.AppendSlice(format_, at_, percent);
      at_ = percent + 1;
      if (percent < bytes_.size()) TERMINUS_RETURN_IF_ERROR(One());
      TERMINUS_RETURN_IF_ERROR(CheckTextSize(out_.size()));
    }
    const size_t given = arguments_.tuple() != nullptr ? arguments_.tuple()->size() : 1;
    if (!mapping_ && used_ < given) return Error("more arguments than the format takes");
    return Value(out_.Take());
  }

 private:
  bool At(char c) const { return at_ < bytes_.size() && bytes_[at_] == c; }

  absl::StatusOr<Value> NextArgument() {
    if (keyed_) return key_value_;
    if (arguments_.tuple() != nullptr) {
      if (used_ < arguments_.tuple()->size()) return (*arguments_.tuple())[used_++];
    } else if (used_ == 0) {
      ++used_;
      return arguments_;
    }
    return Error("fewer arguments than the format takes");
  }

  // Behind "(".
  absl::Status Key() {
    int open = 1;
    const size_t begin = at_;
    while (at_ < bytes_.size() && open > 0) {
      open += bytes_[at_] == '(' ? 1 : bytes_[at_] == ')' ? -1 : 0;
      ++at_;
    }
    if (open > 0) return Error("a key of a format that is not closed");
    const std::string key(bytes_.substr(begin, at_ - 1 - begin));
    if (arguments_.dict() == nullptr) return Error("a format with keys needs a dict");
    const Value* const found = arguments_.dict()->Find(key);
    if (found == nullptr) return Error(absl::StrCat("the format's key '", key, "' is not there"));
    key_value_ = *found;
    keyed_ = true;
    return absl::OkStatus();
  }

  // A number in the format, or the next argument for "*"; -1 for none.
  absl::StatusOr<int64_t> Number() {
    if (At('*')) {
      ++at_;
      TERMINUS_ASSIGN_OR_RETURN(const Value value, NextArgument());
      if (!IndexOf(value)) return Error("'*' in a format needs an integer");
      return *IndexOf(value);
    }
    int64_t number = -1;
    for (; at_ < bytes_.size() && absl::ascii_isdigit(bytes_[at_]); ++at_) {
      number = std::max<int64_t>(number, 0) * 10 + (bytes_[at_] - '0');
      if (number > static_cast<int64_t>(kMaxWeight)) return CheckTextSize(kMaxWeight + 1);
    }
    return number;
  }

  absl::Status One() {
    keyed_ = false;
    if (At('(')) {
      ++at_;
      TERMINUS_RETURN_IF_ERROR(Key());
    }
    Conversion conversion;
    for (; at_ < bytes_.size(); ++at_) {
      const char flag = bytes_[at_];
      if (flag != '-' && flag != '+' && flag != ' ' && flag != '#' && flag != '0') break;
      conversion.left |= flag == '-';
      conversion.plus |= flag == '+';
      conversion.space |= flag == ' ';
      conversion.alternate |= flag == '#';
      conversion.zero |= flag == '0';
    }
    TERMINUS_ASSIGN_OR_RETURN(conversion.width, Number());
    if (conversion.width < -1) {
      conversion.left = true;
      conversion.width = -conversion.width;
    }
    if (At('.')) {
      ++at_;
      TERMINUS_ASSIGN_OR_RETURN(conversion.precision, Number());
      conversion.precision = std::max<int64_t>(conversion.precision, 0);
    }
    if (At('h') || At('l') || At('L')) ++at_;
    if (at_ >= bytes_.size()) return Error("a format that ends behind '%'");
    conversion.type = bytes_[at_++];
    if (conversion.type == '%') {
      out_.Append("%");
      return absl::OkStatus();
    }
    TERMINUS_ASSIGN_OR_RETURN(const Value value, NextArgument());
    return Convert(conversion, value);
  }

  absl::Status Convert(const Conversion& conversion, const Value& value) {
    if (conversion.width > static_cast<int64_t>(kMaxWeight)) return CheckTextSize(kMaxWeight + 1);
    if (absl::StrContains("sra", std::string(1, conversion.type))) {
      return ConvertText(conversion, value);
    }
    if (conversion.type == 'c') return ConvertCharacter(conversion, value);
    if (absl::StrContains("diuoxX", std::string(1, conversion.type))) {
      return ConvertInteger(conversion, value);
    }
    if (!absl::StrContains("eEfFgG", std::string(1, conversion.type))) {
      return Error(absl::StrCat("a format with '%", std::string(1, conversion.type), "'"));
    }
    const auto number = FloatOf(value);
    if (!number) return Error(absl::StrCat("a float's format for ", value.TypeName()));
    constexpr int kDefaultPrecision = 6;
    if (conversion.precision > kMaxPrecision) {
      return Error(absl::StrCat("a format of more than ", kMaxPrecision, " digits"));
    }
    const int precision =
        conversion.precision < 0 ? kDefaultPrecision : static_cast<int>(conversion.precision);
    return Fill(conversion, std::signbit(*number) && !std::isnan(*number), "",
                FloatDigits(*number, conversion.type, precision, conversion.alternate));
  }

  absl::Status ConvertText(const Conversion& conversion, const Value& value) {
    TextBuilder builder;
    if (conversion.type == 's') {
      TERMINUS_RETURN_IF_ERROR(AppendText(context_, value, builder));
    } else {
      TERMINUS_RETURN_IF_ERROR(AppendRepresentation(context_, value, builder));
    }
    Text text = builder.Take();
    if (conversion.type == 'a' && !text.ascii()) {
      return Error("'%a' of a text that is not ASCII is not supported");
    }
    if (conversion.precision >= 0) {
      const std::vector<size_t> offsets = CharacterOffsets(text.bytes);
      text =
          Slice(text, 0,
                offsets[std::min(static_cast<size_t>(conversion.precision), offsets.size() - 1)]);
    }
    Pad(conversion, text);
    return absl::OkStatus();
  }

  absl::Status ConvertCharacter(const Conversion& conversion, const Value& value) {
    if (const Text* const text = value.text(); text != nullptr) {
      if (CountCharacters(text->bytes) != 1) return Error("'%c' needs one character");
      Pad(conversion, *text);
      return absl::OkStatus();
    }
    const auto code = IndexOf(value);
    if (!code || *code < 0 || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000)) {
      return Error("'%c' needs one character");
    }
    std::string character;
    tokenizer::AppendUtf8(static_cast<char32_t>(*code), character);
    Pad(conversion, Text(std::move(character)));
    return absl::OkStatus();
  }

  absl::Status ConvertInteger(const Conversion& conversion, const Value& value) {
    const bool decimal = absl::StrContains("diu", std::string(1, conversion.type));
    int64_t number = 0;
    if (const auto whole = IndexOf(value); whole) {
      number = *whole;
    } else if (decimal && value.number() != nullptr) {
      TERMINUS_ASSIGN_OR_RETURN(number, Truncated(*value.number()));
    } else {
      return Error(absl::StrCat("an integer's format for ", value.TypeName()));
    }
    const int base = decimal ? 10 : conversion.type == 'o' ? 8 : 16;
    std::string digits = IntegerDigits(number, base, conversion.type == 'X');
    if (conversion.precision > kMaxPrecision) {
      return Error(absl::StrCat("a format of more than ", kMaxPrecision, " digits"));
    }
    if (static_cast<int64_t>(digits.size()) < conversion.precision) {
      digits.insert(0, static_cast<size_t>(conversion.precision) - digits.size(), '0');
    }
    const std::string prefix =
        conversion.alternate && !decimal ? absl::StrCat("0", std::string(1, conversion.type)) : "";
    return Fill(conversion, number < 0, prefix, digits);
  }

  absl::Status Fill(const Conversion& conversion, bool negative, absl::string_view prefix,
                    std::string digits) {
    const std::string lead = absl::StrCat(negative           ? "-"
                                          : conversion.plus  ? "+"
                                          : conversion.space ? " "
                                                             : "",
                                          prefix);
    const int64_t missing = conversion.width - static_cast<int64_t>(lead.size() + digits.size());
    if (conversion.zero && !conversion.left && missing > 0) {
      digits.insert(0, static_cast<size_t>(missing), '0');
    }
    Pad(conversion, Text(absl::StrCat(lead, digits)));
    return absl::OkStatus();
  }

  void Pad(const Conversion& conversion, const Text& text) {
    const int64_t missing = conversion.width - CountCharacters(text.bytes);
    const std::string spaces(static_cast<size_t>(std::max<int64_t>(missing, 0)), ' ');
    if (!conversion.left) out_.Append(spaces);
    out_.Append(text);
    if (conversion.left) out_.Append(spaces);
  }

  Context& context_;
  const Text& format_;
  const absl::string_view bytes_;
  const Value& arguments_;
  bool mapping_ = false;
  size_t at_ = 0;
  // Arguments of a tuple, or the only one, that were taken.
  size_t used_ = 0;
  bool keyed_ = false;
  Value key_value_;
  TextBuilder out_;
};

}  // namespace

absl::StatusOr<Value> PercentFormat(Context& context, const Text& format, const Value& arguments) {
  if (format.safe) return Error("'%' of a string that was marked safe is not supported");
  TERMINUS_RETURN_IF_ERROR(context.ChargeBytes(format.bytes.size()));
  return PercentFormatter(context, format, arguments).Run();
}

}  // namespace terminus::chat
