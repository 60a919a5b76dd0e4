#include "common/tokenizer/unicode_form.h"

#include <unicode/normalizer2.h>
#include <unicode/stringpiece.h>
#include <unicode/uchar.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "common/base/check.h"
#include "common/tokenizer/unicode.h"
#include "common/tokenizer/utf8.h"

namespace terminus::tokenizer {
namespace {

// The version of the library's tables.
constexpr uint8_t kUnicodeVersion = 9;

// Code points that ICU changes and the library, whose tables are older, leaves alone.
std::vector<char32_t> YoungCodePoints(const icu::Normalizer2& form) {
  std::vector<char32_t> young;
  for (char32_t c = 0x80; c < kCodePoints; ++c) {
    const auto code = static_cast<UChar32>(c);
    UVersionInfo age;
    u_charAge(code, age);
    if (age[0] > kUnicodeVersion && form.isInert(code) == 0) young.push_back(c);
  }
  return young;
}

class UnicodeForm : public Normalizer {
 public:
  explicit UnicodeForm(const icu::Normalizer2* form)
      : form_(*form), young_(YoungCodePoints(*form)) {
    TERMINUS_CHECK(!young_.empty());
  }

  void Normalize(absl::string_view text, std::string& out) const override {
    if (std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isascii(c); })) {
      out.append(text.data(), text.size());
      return;
    }
    size_t part = 0;
    for (size_t at = 0; at < text.size();) {
      const size_t from = at;
      const char32_t c = NextCodePoint(text, at);
      if (c < young_.front() || !std::binary_search(young_.begin(), young_.end(), c)) continue;
      Append(text.substr(part, from - part), out);
      out.append(text.data() + from, at - from);
      part = at;
    }
    Append(text.substr(part), out);
  }

  bool KeepsBeginning() const override { return true; }

 private:
  void Append(absl::string_view text, std::string& out) const {
    UErrorCode error = U_ZERO_ERROR;
    icu::StringByteSink<std::string> sink(&out);
    form_.normalizeUTF8(0, icu::StringPiece(text.data(), static_cast<int32_t>(text.size())), sink,
                        nullptr, error);
    TERMINUS_CHECK(U_SUCCESS(error));
  }

  const icu::Normalizer2& form_;       // ICU's own, never deleted
  const std::vector<char32_t> young_;  // ascending
};

}  // namespace

std::unique_ptr<const Normalizer> MakeUnicodeForm(absl::string_view name) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* const form = name == "NFC"    ? icu::Normalizer2::getNFCInstance(error)
                                       : name == "NFD"  ? icu::Normalizer2::getNFDInstance(error)
                                       : name == "NFKC" ? icu::Normalizer2::getNFKCInstance(error)
                                                        : icu::Normalizer2::getNFKDInstance(error);
  TERMINUS_CHECK(U_SUCCESS(error));
  return std::make_unique<UnicodeForm>(form);
}

}  // namespace terminus::tokenizer
