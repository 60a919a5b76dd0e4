#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"

// What is true of single code points. Where the library "tokenizers" differs from today's Unicode,
// its answer counts, because the models were trained with it.
namespace terminus::tokenizer {

inline constexpr char32_t kCodePoints = 0x110000;

// [first, last].
struct CodePointRange {
  char32_t first;
  char32_t last;
};

// Sorted, apart from each other.
absl::Span<const CodePointRange> CleanedRanges();
absl::Span<const CodePointRange> MarkRanges();
absl::Span<const CodePointRange> CombiningMarkRanges();
absl::Span<const CodePointRange> NonStarterRanges();
absl::Span<const CodePointRange> PunctuationRanges();
absl::Span<const CodePointRange> IdeographRanges();

// What ClassOf answers is a union of these.
inline constexpr uint8_t kCleaned = 1;      // dropped by clean_text
inline constexpr uint8_t kMark = 2;         // dropped by strip_accents of BertNormalizer
inline constexpr uint8_t kNonStarter = 4;   // has a combining class above 0
inline constexpr uint8_t kPunctuation = 8;  // BertPreTokenizer makes each a word
inline constexpr uint8_t kIdeograph = 16;   // handle_chinese_chars makes each a word
inline constexpr uint8_t kSpace = 32;       // White_Space
inline constexpr uint8_t kLetter = 64;      // \p{L}
inline constexpr uint8_t kNumber = 128;     // \p{N}

// A value for each code point, in pages of which most are alike and shared.
template <typename T>
class CodePointTable {
 public:
  // `values` has kCodePoints elements.
  explicit CodePointTable(const std::vector<T>& values);

  T operator[](char32_t c) const { return values_[pages_[c / kPageSize] + c % kPageSize]; }

 private:
  static constexpr size_t kPageSize = 256;

  std::vector<uint32_t> pages_;  // where in values_ each begins
  std::vector<T> values_;
};

// Made at the first call, the same for all.
const CodePointTable<uint8_t>& Classes();

inline uint8_t ClassOf(char32_t c) { return Classes()[c]; }

// \w of a regular expression: letters, marks, decimal digits, connectors, joiners.
bool IsWordCharacter(char32_t c);

// Dropped by StripAccents.
bool IsCombiningMark(char32_t c);

// Canonical combining class; 0 for a starter.
uint8_t CombiningClass(char32_t c);

// Appends the full canonical decomposition (NFD) of one code point, or itself.
void AppendDecomposed(char32_t c, std::u32string& out);

// Appends the lower case of one code point, regardless of its neighbours.
void AppendLower(char32_t c, std::u32string& out);

}  // namespace terminus::tokenizer
