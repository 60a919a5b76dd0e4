#pragma once

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace terminus::tokenizer {

// Bytes at the beginning of `text` that are valid UTF-8: all of them, or up to the first sequence
// that is cut off, overlong, a surrogate or beyond U+10FFFF.
size_t ValidUtf8Prefix(absl::string_view text);

inline bool IsValidUtf8(absl::string_view text) { return ValidUtf8Prefix(text) == text.size(); }

// OK, or INVALID_ARGUMENT with the reason INVALID_UTF8 and the offset of the first bad byte.
absl::Status CheckUtf8(absl::string_view text);

// Decodes the sequence at `at`, which is inside valid UTF-8, and steps over it.
inline char32_t NextCodePoint(absl::string_view text, size_t& at) {
  const auto byte = [&](size_t i) -> char32_t { return static_cast<unsigned char>(text[at + i]); };
  const char32_t lead = byte(0);
  char32_t c = lead;
  if (lead < 0x80) {
    at += 1;
  } else if (lead < 0xe0) {
    c = (lead & 0x1f) << 6 | (byte(1) & 0x3f);
    at += 2;
  } else if (lead < 0xf0) {
    c = (lead & 0x0f) << 12 | (byte(1) & 0x3f) << 6 | (byte(2) & 0x3f);
    at += 3;
  } else {
    c = (lead & 0x07) << 18 | (byte(1) & 0x3f) << 12 | (byte(2) & 0x3f) << 6 | (byte(3) & 0x3f);
    at += 4;
  }
  return c;
}

// The code point that ends at `end` > 0 of valid UTF-8.
inline char32_t PreviousCodePoint(absl::string_view text, size_t end) {
  size_t at = end - 1;
  while ((static_cast<unsigned char>(text[at]) & 0xc0) == 0x80) --at;
  return NextCodePoint(text, at);
}

void AppendUtf8(char32_t c, std::string& out);

// Appends `bytes` with U+FFFD in the place of each maximal part that is not UTF-8, as Unicode
// recommends (section 3.9, "U+FFFD Substitution of Maximal Subparts"). With `more_to_come`, a
// character that is only cut off at the end stays out; returns how many bytes were used.
size_t AppendLossyUtf8(absl::string_view bytes, bool more_to_come, std::string& out);

}  // namespace terminus::tokenizer
