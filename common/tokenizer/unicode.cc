#include "common/tokenizer/unicode.h"

#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/utf16.h>

#include <algorithm>

#include "common/base/check.h"

namespace terminus::tokenizer {
namespace {

// Capitals younger than ICU's tables, which the library knows.
struct YoungCapitals {
  char32_t first;
  char32_t last;
  char32_t first_lower;
};
constexpr YoungCapitals kYoungCapitals[] = {
    {0x1c89, 0x1c89, 0x1c8a},    {0xa7cb, 0xa7cb, 0x0264}, {0xa7cc, 0xa7cc, 0xa7cd},
    {0xa7ce, 0xa7ce, 0xa7cf},    {0xa7d2, 0xa7d2, 0xa7d3}, {0xa7d4, 0xa7d4, 0xa7d5},
    {0xa7da, 0xa7da, 0xa7db},    {0xa7dc, 0xa7dc, 0x019b}, {0x10d50, 0x10d65, 0x10d70},
    {0x16ea0, 0x16eb8, 0x16ebb},
};

void Mark(absl::Span<const CodePointRange> ranges, uint8_t bit, std::vector<uint8_t>& classes) {
  for (const CodePointRange& range : ranges) {
    for (char32_t c = range.first; c <= range.last; ++c) classes[c] |= bit;
  }
}

std::vector<uint8_t> MakeClasses() {
  constexpr CodePointRange kSpaces[] = {
      {0x09, 0x0d},     {0x20, 0x20},     {0x85, 0x85},     {0xa0, 0xa0},     {0x1680, 0x1680},
      {0x2000, 0x200a}, {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}};
  std::vector<uint8_t> classes(kCodePoints);
  Mark(CleanedRanges(), kCleaned, classes);
  Mark(MarkRanges(), kMark, classes);
  Mark(NonStarterRanges(), kNonStarter, classes);
  Mark(PunctuationRanges(), kPunctuation, classes);
  Mark(IdeographRanges(), kIdeograph, classes);
  Mark(kSpaces, kSpace, classes);
  for (char32_t c = 0; c < kCodePoints; ++c) {
    const uint32_t category = U_GET_GC_MASK(static_cast<UChar32>(c));
    classes[c] |= (category & U_GC_L_MASK) != 0 ? kLetter : 0;
    classes[c] |= (category & U_GC_N_MASK) != 0 ? kNumber : 0;
  }
  return classes;
}

}  // namespace

template <typename T>
CodePointTable<T>::CodePointTable(const std::vector<T>& values) {
  TERMINUS_CHECK(values.size() == kCodePoints);
  for (auto page = values.begin(); page != values.end(); page += kPageSize) {
    size_t at = 0;
    while (at < values_.size() && !std::equal(page, page + kPageSize, values_.begin() + at)) {
      at += kPageSize;
    }
    pages_.push_back(static_cast<uint32_t>(at));
    if (at == values_.size()) values_.insert(values_.end(), page, page + kPageSize);
  }
}

template class CodePointTable<uint8_t>;
template class CodePointTable<uint32_t>;

const CodePointTable<uint8_t>& Classes() {
  static const CodePointTable<uint8_t> classes(MakeClasses());
  return classes;
}

bool IsWordCharacter(char32_t c) {
  constexpr uint32_t kMask = U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK;
  const auto code = static_cast<UChar32>(c);
  return u_isUAlphabetic(code) || (U_GET_GC_MASK(code) & kMask) != 0 ||
         u_hasBinaryProperty(code, UCHAR_JOIN_CONTROL);
}

bool IsCombiningMark(char32_t c) {
  static const CodePointTable<uint8_t> marks([] {
    std::vector<uint8_t> values(kCodePoints);
    Mark(CombiningMarkRanges(), 1, values);
    return values;
  }());
  return marks[c] != 0;
}

uint8_t CombiningClass(char32_t c) {
  return (ClassOf(c) & kNonStarter) != 0 ? u_getCombiningClass(static_cast<UChar32>(c)) : 0;
}

void AppendDecomposed(char32_t c, std::u32string& out) {
  // Its decomposition is younger than the library's tables.
  constexpr char32_t kDivesAkuruVowelSignO = 0x11938;
  static const UNormalizer2* const nfd = [] {
    UErrorCode error = U_ZERO_ERROR;
    const UNormalizer2* const instance = unorm2_getNFDInstance(&error);
    TERMINUS_CHECK(U_SUCCESS(error));
    return instance;
  }();
  UChar units[16];  // the longest one has 4 code points
  UErrorCode error = U_ZERO_ERROR;
  const int32_t length =
      c == kDivesAkuruVowelSignO
          ? -1
          : unorm2_getDecomposition(nfd, static_cast<UChar32>(c), units, 16, &error);
  TERMINUS_CHECK(U_SUCCESS(error));
  if (length < 0) {
    out.push_back(c);
    return;
  }
  for (int32_t i = 0; i < length;) {
    UChar32 part;
    U16_NEXT(units, i, length, part);
    out.push_back(static_cast<char32_t>(part));
  }
}

void AppendLower(char32_t c, std::u32string& out) {
  // The only one whose lower case is longer than itself.
  constexpr char32_t kCapitalIWithDotAbove = 0x130;
  if (c == kCapitalIWithDotAbove) {
    out += U"i\u0307";
    return;
  }
  for (const YoungCapitals& young : kYoungCapitals) {
    if (young.first <= c && c <= young.last) {
      out.push_back(c - young.first + young.first_lower);
      return;
    }
  }
  out.push_back(static_cast<char32_t>(u_tolower(static_cast<UChar32>(c))));
}

}  // namespace terminus::tokenizer
