#include "common/tokenizer/python_text.h"

#include <unicode/locid.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "common/tokenizer/utf8.h"

namespace terminus::tokenizer {
namespace {

bool IsAssigned(char32_t c) {
  constexpr uint8_t kVersion = 14;
  UVersionInfo age;
  u_charAge(static_cast<UChar32>(c), age);
  return age[0] != 0 && age[0] <= kVersion;
}

void AppendLower(absl::string_view text, std::string& out) {
  icu::UnicodeString::fromUTF8(icu::StringPiece(text.data(), static_cast<int32_t>(text.size())))
      .toLower(icu::Locale::getRoot())
      .toUTF8String(out);
}

}  // namespace

bool IsPythonSpace(char32_t c) {
  return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
         c == 0x205f || c == 0x3000;
}

absl::string_view StripLeft(absl::string_view text) {
  size_t begin = 0;
  for (size_t next = 0; begin < text.size(); begin = next) {
    if (!IsPythonSpace(NextCodePoint(text, next))) break;
  }
  return text.substr(begin);
}

absl::string_view StripRight(absl::string_view text) {
  size_t end = text.size();
  while (end > 0 && IsPythonSpace(PreviousCodePoint(text, end))) {
    do {
      --end;
    } while ((static_cast<unsigned char>(text[end]) & 0xc0) == 0x80);
  }
  return text.substr(0, end);
}

std::string PythonLower(absl::string_view text) {
  if (std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isascii(c); })) {
    return absl::AsciiStrToLower(text);
  }
  std::string out;
  // A character of a later Unicode stays as it is. It is no letter to those beside it, as the ends
  // of a text are none: a sigma in front of it is final.
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t from = at;
    if (IsAssigned(NextCodePoint(text, at))) continue;
    AppendLower(text.substr(begin, from - begin), out);
    out.append(text.data() + from, at - from);
    begin = at;
  }
  AppendLower(text.substr(begin), out);
  return out;
}

}  // namespace terminus::tokenizer
