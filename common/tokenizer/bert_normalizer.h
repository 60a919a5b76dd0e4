#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "common/tokenizer/normalizer.h"
#include "common/tokenizer/unicode.h"

namespace terminus::tokenizer {

// The text clean-up of BERT: drops control characters, makes all white space a blank, puts blanks
// around ideographs, strips accents (NFD without non-spacing marks), and lowers the case.
//
// All but one of these steps look at single code points, so their result is worked out once for
// each when the object is made. The exception is NFD's reordering of marks that stay; text with
// such a mark takes the slow way.
class BertNormalizer : public Normalizer {
 public:
  struct Options {
    bool clean_text = true;
    bool handle_chinese_chars = true;
    bool strip_accents = true;
    bool lowercase = true;
  };

  explicit BertNormalizer(const Options& options);

  void Normalize(absl::string_view text, std::string& out) const override;
  bool KeepsBeginning() const override { return !options_.clean_text && !options_.strip_accents; }

 private:
  // What becomes of a code point: a tag in the low two bits; above it the place in `pool_` of a
  // length byte and the replacement.
  enum Tag : uint32_t { kKeep, kReplace, kReorder };
  static constexpr uint32_t kTagBits = 2;

  std::vector<uint32_t> MakeEntries();
  // The steps up to NFD for one code point, and those after it.
  void Spread(char32_t c, std::u32string& out) const;
  void Finish(const std::u32string& decomposed, std::string& out) const;
  void NormalizeSlowly(absl::string_view text, std::string& out) const;

  const Options options_;
  std::string pool_ = std::string(1, '\0');
  CodePointTable<uint32_t> entries_;
  std::array<char, 128> ascii_;          // replacement of each
  std::array<uint8_t, 128> ascii_kept_;  // 1, or 0 for those that are dropped
};

}  // namespace terminus::tokenizer
