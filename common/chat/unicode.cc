#include "common/chat/unicode.h"

#include <unicode/locid.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "common/tokenizer/python_text.h"
#include "common/tokenizer/utf8.h"

namespace terminus::chat {
namespace {

UChar32 Code(char32_t c) { return static_cast<UChar32>(c); }

// Characters that came with a later Unicode are not assigned to Python 3.11.
int8_t Category(char32_t c) {
  constexpr uint8_t kVersion = 14;
  UVersionInfo age;
  u_charAge(Code(c), age);
  return age[0] > kVersion ? static_cast<int8_t>(U_UNASSIGNED) : u_charType(Code(c));
}

bool IsAssigned(char32_t c) { return Category(c) != U_UNASSIGNED; }

bool IsAscii(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isascii(c); });
}

icu::UnicodeString FromUtf8(absl::string_view text) {
  return icu::UnicodeString::fromUTF8(
      icu::StringPiece(text.data(), static_cast<int32_t>(text.size())));
}

// The title case of one character; of those with more than one letter only the first is a capital.
std::string TitleCase(absl::string_view character) {
  icu::UnicodeString text = FromUtf8(character);
  std::string out;
  return text.toTitle(nullptr, icu::Locale::getRoot()).toUTF8String(out);
}

}  // namespace

bool IsPrintable(char32_t c) {
  if (c == ' ') return true;
  switch (Category(c)) {
    case U_CONTROL_CHAR:
    case U_FORMAT_CHAR:
    case U_SURROGATE:
    case U_PRIVATE_USE_CHAR:
    case U_UNASSIGNED:
    case U_LINE_SEPARATOR:
    case U_PARAGRAPH_SEPARATOR:
    case U_SPACE_SEPARATOR:
      return false;
    default:
      return true;
  }
}

bool IsAlphabetic(char32_t c) {
  const int8_t category = Category(c);
  return category >= U_UPPERCASE_LETTER && category <= U_OTHER_LETTER;
}

bool IsDecimal(char32_t c) { return Category(c) == U_DECIMAL_DIGIT_NUMBER; }

int DecimalValue(char32_t c) { return u_charDigitValue(Code(c)); }

bool IsDigit(char32_t c) {
  const auto type = u_getIntPropertyValue(Code(c), UCHAR_NUMERIC_TYPE);
  return IsAssigned(c) && (type == U_NT_DECIMAL || type == U_NT_DIGIT);
}

bool IsNumeric(char32_t c) {
  return IsAssigned(c) && u_getIntPropertyValue(Code(c), UCHAR_NUMERIC_TYPE) != U_NT_NONE;
}

bool IsLower(char32_t c) { return IsAssigned(c) && u_hasBinaryProperty(Code(c), UCHAR_LOWERCASE); }

bool IsUpper(char32_t c) { return IsAssigned(c) && u_hasBinaryProperty(Code(c), UCHAR_UPPERCASE); }

bool IsTitle(char32_t c) { return Category(c) == U_TITLECASE_LETTER; }

bool IsCased(char32_t c) { return IsLower(c) || IsUpper(c) || IsTitle(c); }

bool BeginsName(char32_t c) {
  return c == '_' || (IsAssigned(c) && u_hasBinaryProperty(Code(c), UCHAR_XID_START));
}

bool ContinuesName(char32_t c) {
  return IsAssigned(c) && u_hasBinaryProperty(Code(c), UCHAR_XID_CONTINUE);
}

std::string Upper(absl::string_view text) {
  if (IsAscii(text)) return absl::AsciiStrToUpper(text);
  std::string out;
  return FromUtf8(text).toUpper(icu::Locale::getRoot()).toUTF8String(out);
}

std::string Lower(absl::string_view text) { return tokenizer::PythonLower(text); }

std::string Casefolded(absl::string_view text) {
  if (IsAscii(text)) return absl::AsciiStrToLower(text);
  std::string out;
  return FromUtf8(text).foldCase(U_FOLD_CASE_DEFAULT).toUTF8String(out);
}

std::string Capitalized(absl::string_view text) {
  if (text.empty()) return "";
  size_t first = 0;
  tokenizer::NextCodePoint(text, first);
  // The rest with the first character before it, which the final sigma looks at.
  const std::string lower = Lower(text);
  const std::string lower_first = Lower(text.substr(0, first));
  return TitleCase(text.substr(0, first)) + lower.substr(lower_first.size());
}

std::string Titled(absl::string_view text) {
  const std::string lower_all = Lower(text);
  std::string out;
  bool begins = true;
  size_t lower_at = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t from = at;
    const char32_t c = tokenizer::NextCodePoint(text, at);
    const absl::string_view character = text.substr(from, at - from);
    const size_t lower_bytes = Lower(character).size();
    out += begins ? TitleCase(character) : lower_all.substr(lower_at, lower_bytes);
    lower_at += lower_bytes;
    begins = !IsCased(c);
  }
  return out;
}

std::string CaseSwapped(absl::string_view text) {
  const std::string lower_all = Lower(text);
  std::string out;
  size_t lower_at = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t from = at;
    const char32_t c = tokenizer::NextCodePoint(text, at);
    const absl::string_view character = text.substr(from, at - from);
    const size_t lower_bytes = Lower(character).size();
    if (IsUpper(c)) {
      out += lower_all.substr(lower_at, lower_bytes);
    } else {
      out += IsLower(c) ? Upper(character) : std::string(character);
    }
    lower_at += lower_bytes;
  }
  return out;
}

}  // namespace terminus::chat
