#include "common/chat/literals.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/status_macros.h"
#include "common/tokenizer/utf8.h"

namespace terminus::chat {
namespace {

// The bytes of digits with single underscores between them; 0 when `text` begins with no digit.
size_t Digits(absl::string_view text, bool (*is_digit)(unsigned char)) {
  size_t end = 0;
  while (end < text.size()) {
    const size_t digit = text[end] == '_' && end > 0 ? end + 1 : end;
    if (digit >= text.size() || !is_digit(text[digit])) break;
    end = digit + 1;
  }
  return end;
}

bool IsDecimal(unsigned char c) { return absl::ascii_isdigit(c); }

// The bytes of a float at the beginning of `text`; 0 for none.
size_t FloatBytes(absl::string_view text) {
  size_t end = Digits(text, &IsDecimal);
  if (end == 0) return 0;
  bool is_float = false;
  if (end < text.size() && text[end] == '.') {
    const size_t fraction = Digits(text.substr(end + 1), &IsDecimal);
    if (fraction > 0) {
      end += 1 + fraction;
      is_float = true;
    }
  }
  if (end < text.size() && (text[end] == 'e' || text[end] == 'E')) {
    size_t digits = end + 1;
    if (digits < text.size() && (text[digits] == '+' || text[digits] == '-')) ++digits;
    const size_t exponent = digits < text.size() ? Digits(text.substr(digits), &IsDecimal) : 0;
    if (exponent > 0) {
      end = digits + exponent;
      is_float = true;
    }
  }
  return is_float ? end : 0;
}

// 0x…, 0o… or 0b…: the digits may have an underscore before them.
size_t PrefixedBytes(absl::string_view text) {
  if (text.size() < 3 || text[0] != '0') return 0;
  bool (*is_digit)(unsigned char) = nullptr;
  switch (absl::ascii_tolower(text[1])) {
    case 'x':
      is_digit = [](unsigned char c) { return absl::ascii_isxdigit(c) != 0; };
      break;
    case 'o':
      is_digit = [](unsigned char c) { return c >= '0' && c <= '7'; };
      break;
    case 'b':
      is_digit = [](unsigned char c) { return c == '0' || c == '1'; };
      break;
    default:
      return 0;
  }
  const size_t from = text[2] == '_' ? 3 : 2;
  const size_t digits = Digits(text.substr(from), is_digit);
  return digits == 0 ? 0 : from + digits;
}

class Unescaper {
 public:
  explicit Unescaper(absl::string_view text) : text_(text) {}

  absl::StatusOr<std::string> Run() {
    while (at_ < text_.size()) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) {
        ++at_;
        TERMINUS_RETURN_IF_ERROR(Escape());
      } else {
        out_.push_back(text_[at_++]);
      }
    }
    return std::move(out_);
  }

 private:
  // Behind a backslash.
  absl::Status Escape() {
    constexpr absl::string_view kNames = "abfnrtv\\'\"";
    constexpr absl::string_view kMeanings = "\a\b\f\n\r\t\v\\'\"";
    const char c = text_[at_];
    if (const size_t found = kNames.find(c); found != absl::string_view::npos) {
      out_.push_back(kMeanings[found]);
      ++at_;
    } else if (c == '\n') {
      ++at_;
    } else if (c >= '0' && c <= '7') {
      uint32_t code = 0;
      for (int i = 0; i < 3 && at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '7'; ++i) {
        code = code * 8 + static_cast<uint32_t>(text_[at_++] - '0');
      }
      tokenizer::AppendUtf8(code, out_);
    } else if (c == 'x' || c == 'u' || c == 'U') {
      return Hexadecimal(c, c == 'x' ? 2 : c == 'u' ? 4 : 8);
    } else if (c == 'N') {
      return Named();
    } else if (!absl::ascii_isascii(c)) {
      // Jinja writes such a character as an escape first, whose backslash the other one quotes.
      const char32_t code = tokenizer::NextCodePoint(text_, at_);
      const auto number = static_cast<uint32_t>(code);
      absl::StrAppend(&out_, "\\",
                      code < 0x100     ? absl::StrFormat("x%02x", number)
                      : code < 0x10000 ? absl::StrFormat("u%04x", number)
                                       : absl::StrFormat("U%08x", number));
    } else {
      // Python keeps the backslash of what is no escape.
      out_.push_back('\\');
      out_.push_back(c);
      ++at_;
    }
    return absl::OkStatus();
  }

  // \N{NAME}
  absl::Status Named() {
    const size_t end = text_.find('}', at_);
    if (end == absl::string_view::npos || text_[at_ + 1] != '{') {
      return absl::InvalidArgumentError("\\N without the name of a character in braces");
    }
    const std::string name(text_.substr(at_ + 2, end - at_ - 2));
    for (const UCharNameChoice kind : {U_UNICODE_CHAR_NAME, U_CHAR_NAME_ALIAS}) {
      UErrorCode status = U_ZERO_ERROR;
      const UChar32 code = u_charFromName(kind, name.c_str(), &status);
      if (U_FAILURE(status)) continue;
      tokenizer::AppendUtf8(static_cast<char32_t>(code), out_);
      at_ = end + 1;
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(absl::StrCat("no character has the name '", name, "'"));
  }

  absl::Status Hexadecimal(char kind, size_t digits) {
    const absl::string_view hex = text_.substr(at_ + 1, digits);
    uint32_t code = 0;
    if (hex.size() != digits || !std::all_of(hex.begin(), hex.end(), absl::ascii_isxdigit) ||
        !absl::SimpleHexAtoi(hex, &code) || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
      return absl::InvalidArgumentError(absl::StrCat("\\", std::string(1, kind), " without the ",
                                                     digits, " hex digits of a character"));
    }
    tokenizer::AppendUtf8(code, out_);
    at_ += 1 + digits;
    return absl::OkStatus();
  }

  const absl::string_view text_;
  size_t at_ = 0;
  std::string out_;
};

}  // namespace

NumberLiteral NumberAt(absl::string_view text, bool may_be_float) {
  if (text.empty() || !absl::ascii_isdigit(text[0])) return {};
  if (may_be_float) {
    if (const size_t bytes = FloatBytes(text); bytes > 0) return {.bytes = bytes, .is_float = true};
  }
  if (const size_t bytes = PrefixedBytes(text); bytes > 0) return {.bytes = bytes};
  // A number that begins with 0 is all zeros.
  return {.bytes = text[0] == '0' ? Digits(text, [](unsigned char c) { return c == '0'; })
                                  : Digits(text, &IsDecimal)};
}

size_t StringEnd(absl::string_view text) {
  for (size_t at = 1; at < text.size(); ++at) {
    if (text[at] == text[0]) return at + 1;
    if (text[at] == '\\') ++at;
  }
  return 0;
}

absl::StatusOr<std::string> Unescaped(absl::string_view text) { return Unescaper(text).Run(); }

}  // namespace terminus::chat
