#include "common/base/utf8.h"

#include <cstdint>
#include <cstring>

namespace terminus::base {
namespace {

// Bytes of the character that begins at `at`, or 0 (Unicode standard, table 3-7).
size_t CharacterSize(const uint8_t* at, size_t left) {
  const uint8_t first = at[0];
  if (first < 0x80) {
    return 1;
  }
  size_t size = 0;
  uint8_t low = 0x80;
  uint8_t high = 0xbf;
  if (first >= 0xc2 && first <= 0xdf) {
    size = 2;
  } else if (first >= 0xe0 && first <= 0xef) {
    size = 3;
    low = first == 0xe0 ? 0xa0 : low;
    high = first == 0xed ? 0x9f : high;
  } else if (first >= 0xf0 && first <= 0xf4) {
    size = 4;
    low = first == 0xf0 ? 0x90 : low;
    high = first == 0xf4 ? 0x8f : high;
  }
  if (size == 0 || size > left || at[1] < low || at[1] > high) {
    return 0;
  }
  for (size_t i = 2; i < size; ++i) {
    if ((at[i] & 0xc0) != 0x80) {
      return 0;
    }
  }
  return size;
}

bool IsControl(const uint8_t* character, size_t size) {
  if (size == 1) {
    return (character[0] < 0x20 && character[0] != '\n') || character[0] == 0x7f;
  }
  // U+0080 to U+009F.
  return size == 2 && character[0] == 0xc2 && character[1] < 0xa0;
}

}  // namespace

bool IsValidUtf8(absl::string_view text) {
  const auto* at = reinterpret_cast<const uint8_t*>(text.data());
  size_t left = text.size();
  while (left > 0) {
    // Most text is ASCII for long stretches.
    uint64_t eight;
    if (left >= sizeof(eight)) {
      std::memcpy(&eight, at, sizeof(eight));
      if ((eight & 0x8080808080808080u) == 0) {
        at += sizeof(eight);
        left -= sizeof(eight);
        continue;
      }
    }
    const size_t size = CharacterSize(at, left);
    if (size == 0) {
      return false;
    }
    at += size;
    left -= size;
  }
  return true;
}

std::string PrintableUtf8(absl::string_view text) {
  std::string printable;
  printable.reserve(text.size());
  while (!text.empty()) {
    const auto* at = reinterpret_cast<const uint8_t*>(text.data());
    const size_t size = CharacterSize(at, text.size());
    if (size == 0 || IsControl(at, size)) {
      printable += '?';
    } else {
      printable.append(text.data(), size);
    }
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return printable;
}

}  // namespace terminus::base
