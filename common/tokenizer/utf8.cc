#include "common/tokenizer/utf8.h"

#include <cstdint>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/base/errors.h"

namespace terminus::tokenizer {
namespace {

// Bytes of the well-formed sequence at the beginning of `text`, 0 if there is none: table 3-7 of
// the Unicode standard.
size_t SequenceLength(absl::string_view text) {
  const auto inside = [&](size_t i, unsigned low, unsigned high) {
    if (i >= text.size()) return false;
    const auto byte = static_cast<unsigned char>(text[i]);
    return byte >= low && byte <= high;
  };
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return 1;
  if (lead < 0xc2) return 0;
  if (lead < 0xe0) return inside(1, 0x80, 0xbf) ? 2 : 0;
  if (lead < 0xf0) {
    const unsigned low = lead == 0xe0 ? 0xa0 : 0x80;
    const unsigned high = lead == 0xed ? 0x9f : 0xbf;
    return inside(1, low, high) && inside(2, 0x80, 0xbf) ? 3 : 0;
  }
  if (lead > 0xf4) return 0;
  const unsigned low = lead == 0xf0 ? 0x90 : 0x80;
  const unsigned high = lead == 0xf4 ? 0x8f : 0xbf;
  return inside(1, low, high) && inside(2, 0x80, 0xbf) && inside(3, 0x80, 0xbf) ? 4 : 0;
}

constexpr absl::string_view kReplacement = "\xef\xbf\xbd";

struct Sequence {
  // Bytes of it that are well-formed so far, at least 1.
  size_t length = 1;
  // The bytes end where it goes on.
  bool cut_off = false;
};

// The ill-formed sequence at the beginning of `bytes`: how far it looks like a character (table
// 3-7 of the Unicode standard).
Sequence IllFormedPrefix(absl::string_view bytes) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned char lead = byte(0);
  size_t size = 0;
  unsigned char low = 0x80;
  unsigned char high = 0xbf;
  if (lead >= 0xc2 && lead <= 0xdf) {
    size = 2;
  } else if (lead >= 0xe0 && lead <= 0xef) {
    size = 3;
    low = lead == 0xe0 ? 0xa0 : low;
    high = lead == 0xed ? 0x9f : high;
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    size = 4;
    low = lead == 0xf0 ? 0x90 : low;
    high = lead == 0xf4 ? 0x8f : high;
  } else {
    return {};
  }
  size_t length = 1;
  while (length < size && length < bytes.size() && low <= byte(length) && byte(length) <= high) {
    ++length;
    low = 0x80;
    high = 0xbf;
  }
  return {.length = length, .cut_off = length == bytes.size()};
}

}  // namespace

size_t ValidUtf8Prefix(absl::string_view text) {
  constexpr uint64_t kHighBits = 0x8080808080808080;
  size_t at = 0;
  while (at < text.size()) {
    if (text.size() - at >= sizeof(uint64_t)) {
      uint64_t eight;
      std::memcpy(&eight, text.data() + at, sizeof(eight));
      if ((eight & kHighBits) == 0) {
        at += sizeof(eight);
        continue;
      }
    }
    const size_t length = SequenceLength(text.substr(at));
    if (length == 0) break;
    at += length;
  }
  return at;
}

absl::Status CheckUtf8(absl::string_view text) {
  const size_t valid = ValidUtf8Prefix(text);
  if (valid == text.size()) return absl::OkStatus();
  return base::MakeError(
      absl::StatusCode::kInvalidArgument, base::kReasonInvalidUtf8,
      absl::StrCat("text is not valid UTF-8: byte 0x",
                   absl::Hex(static_cast<unsigned char>(text[valid]), absl::kZeroPad2),
                   " at offset ", valid));
}

size_t AppendLossyUtf8(absl::string_view bytes, bool more_to_come, std::string& out) {
  size_t used = 0;
  while (used < bytes.size()) {
    const absl::string_view rest = bytes.substr(used);
    const size_t valid = ValidUtf8Prefix(rest);
    out.append(rest.data(), valid);
    used += valid;
    if (used == bytes.size()) {
      break;
    }
    const Sequence bad = IllFormedPrefix(bytes.substr(used));
    if (bad.cut_off && more_to_come) {
      break;
    }
    out.append(kReplacement.data(), kReplacement.size());
    used += bad.length;
  }
  return used;
}

void AppendUtf8(char32_t c, std::string& out) {
  const auto put = [&](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0 | c >> 6);
    put(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    put(0xe0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3f));
    put(0x80 | (c & 0x3f));
  } else {
    put(0xf0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3f));
    put(0x80 | (c >> 6 & 0x3f));
    put(0x80 | (c & 0x3f));
  }
}

}  // namespace terminus::tokenizer
