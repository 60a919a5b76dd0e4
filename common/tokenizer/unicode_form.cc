#include "common/tokenizer/unicode_form.h"

#include <unicode/normalizer2.h>
#include <unicode/stringpiece.h>
#include <unicode/uchar.h>

#include <algorithm>
#include <array>
#include <mutex>
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

struct Form {
  const char* name;
  const icu::Normalizer2* (*instance)(UErrorCode& error);
};

constexpr std::array<Form, 4> kForms = {{{"NFC", &icu::Normalizer2::getNFCInstance},
                                         {"NFD", &icu::Normalizer2::getNFDInstance},
                                         {"NFKC", &icu::Normalizer2::getNFKCInstance},
                                         {"NFKD", &icu::Normalizer2::getNFKDInstance}}};

// Code points that ICU changes and the library, whose tables are older, leaves alone.
std::vector<char32_t> FindYoung(const icu::Normalizer2& form) {
  std::vector<char32_t> young;
  for (char32_t c = 0x80; c < kCodePoints; ++c) {
    const auto code = static_cast<UChar32>(c);
    UVersionInfo age;
    u_charAge(code, age);
    if (age[0] > kUnicodeVersion && form.isInert(code) == 0) young.push_back(c);
  }
  return young;
}

// Found once for each form.
const std::vector<char32_t>& YoungCodePoints(size_t index, const icu::Normalizer2& form) {
  static std::array<std::once_flag, kForms.size()> once;
  static std::array<std::vector<char32_t>, kForms.size()> young;
  std::call_once(once[index], [&] { young[index] = FindYoung(form); });
  TERMINUS_CHECK(!young[index].empty());
  return young[index];
}

class UnicodeForm : public Normalizer {
 public:
  UnicodeForm(const icu::Normalizer2& form, const std::vector<char32_t>& young)
      : form_(form), young_(young) {}

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

  const icu::Normalizer2& form_;        // ICU's own, never deleted
  const std::vector<char32_t>& young_;  // ascending
};

}  // namespace

std::unique_ptr<const Normalizer> MakeUnicodeForm(absl::string_view name) {
  const auto form = std::find_if(kForms.begin(), kForms.end(),
                                 [&](const Form& known) { return known.name == name; });
  TERMINUS_CHECK(form != kForms.end());
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* const instance = form->instance(error);
  TERMINUS_CHECK(U_SUCCESS(error));
  const auto index = static_cast<size_t>(form - kForms.begin());
  return std::make_unique<UnicodeForm>(*instance, YoungCodePoints(index, *instance));
}

}  // namespace terminus::tokenizer
