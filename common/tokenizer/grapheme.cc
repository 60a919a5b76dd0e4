#include "common/tokenizer/grapheme.h"

#include <unicode/uchar.h>

#include <cstdint>
#include <vector>

#include "common/tokenizer/unicode.h"
#include "common/tokenizer/utf8.h"

namespace terminus::tokenizer {
namespace {

// ICU's Grapheme_Cluster_Break, and this for Extended_Pictographic.
constexpr uint8_t kPictograph = 0x80;

const CodePointTable<uint8_t>& BreakClasses() {
  static const CodePointTable<uint8_t> table([] {
    std::vector<uint8_t> classes(kCodePoints);
    for (char32_t c = 0; c < kCodePoints; ++c) {
      const auto code = static_cast<UChar32>(c);
      classes[c] = static_cast<uint8_t>(u_getIntPropertyValue(code, UCHAR_GRAPHEME_CLUSTER_BREAK));
      if (u_hasBinaryProperty(code, UCHAR_EXTENDED_PICTOGRAPHIC) != 0) classes[c] |= kPictograph;
    }
    return classes;
  }());
  return table;
}

bool IsControl(uint8_t kind) {
  return kind == U_GCB_CONTROL || kind == U_GCB_CR || kind == U_GCB_LF;
}

// Rules GB6 to GB8: the parts of a Hangul syllable.
bool JoinsHangul(uint8_t left, uint8_t right) {
  switch (left) {
    case U_GCB_L:
      return right == U_GCB_L || right == U_GCB_V || right == U_GCB_LV || right == U_GCB_LVT;
    case U_GCB_LV:
    case U_GCB_V:
      return right == U_GCB_V || right == U_GCB_T;
    case U_GCB_LVT:
    case U_GCB_T:
      return right == U_GCB_T;
    default:
      return false;
  }
}

}  // namespace

size_t GraphemeEnd(absl::string_view text, size_t at) {
  const CodePointTable<uint8_t>& classes = BreakClasses();
  uint8_t left = classes[NextCodePoint(text, at)];
  // A pictograph and what extends it lie behind, and whether a joiner is the last of it (GB11).
  bool pictograph = (left & kPictograph) != 0;
  bool joined = false;
  bool odd_indicator = left == U_GCB_REGIONAL_INDICATOR;
  left &= ~kPictograph;
  while (at < text.size()) {
    size_t next = at;
    const uint8_t both = classes[NextCodePoint(text, next)];
    const uint8_t right = both & ~kPictograph;
    if (left == U_GCB_CR && right == U_GCB_LF) return next;
    if (IsControl(left) || IsControl(right)) return at;
    const bool extends = right == U_GCB_EXTEND || right == U_GCB_ZWJ;
    const bool joins = extends || right == U_GCB_SPACING_MARK || left == U_GCB_PREPEND ||
                       JoinsHangul(left, right) || (joined && (both & kPictograph) != 0) ||
                       (odd_indicator && right == U_GCB_REGIONAL_INDICATOR);
    if (!joins) return at;
    joined = pictograph && right == U_GCB_ZWJ;
    pictograph = (both & kPictograph) != 0 || (pictograph && extends);
    odd_indicator = right == U_GCB_REGIONAL_INDICATOR && !odd_indicator;
    left = right;
    at = next;
  }
  return at;
}

}  // namespace terminus::tokenizer
