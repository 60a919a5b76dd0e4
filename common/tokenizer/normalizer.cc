#include "common/tokenizer/normalizer.h"

#include <unicode/normalizer2.h>
#include <unicode/stringpiece.h>
#include <unicode/uchar.h>

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "common/tokenizer/bert_normalizer.h"
#include "common/tokenizer/json_node.h"
#include "common/tokenizer/unicode.h"
#include "common/tokenizer/utf8.h"

namespace terminus::tokenizer {
namespace {

class NoNormalizer : public Normalizer {
 public:
  void Normalize(absl::string_view text, std::string& out) const override {
    out.append(text.data(), text.size());
  }
};

// Code points that ICU reorders or composes and the library, whose tables are older, leaves alone.
bool IsYoung(char32_t c) {
  static const std::vector<char32_t> young = [] {
    std::vector<char32_t> found;
    for (char32_t code = 0x300; code < kCodePoints; ++code) {
      if (u_getCombiningClass(static_cast<UChar32>(code)) != 0 &&
          (ClassOf(code) & kNonStarter) == 0) {
        found.push_back(code);
      }
    }
    constexpr char32_t kDivesAkuruVowelSignAa = 0x11930;
    found.insert(std::upper_bound(found.begin(), found.end(), kDivesAkuruVowelSignAa),
                 kDivesAkuruVowelSignAa);
    return found;
  }();
  return c >= young.front() && std::binary_search(young.begin(), young.end(), c);
}

// Canonical composition.
class NfcNormalizer : public Normalizer {
 public:
  void Normalize(absl::string_view text, std::string& out) const override {
    if (std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isascii(c); })) {
      out.append(text.data(), text.size());
      return;
    }
    size_t part = 0;
    for (size_t at = 0; at < text.size();) {
      const size_t from = at;
      if (!IsYoung(NextCodePoint(text, at))) continue;
      Compose(text.substr(part, from - part), out);
      out.append(text.data() + from, at - from);
      part = at;
    }
    Compose(text.substr(part), out);
  }

 private:
  static void Compose(absl::string_view text, std::string& out) {
    UErrorCode error = U_ZERO_ERROR;
    const icu::Normalizer2* const nfc = icu::Normalizer2::getNFCInstance(error);
    TERMINUS_CHECK(U_SUCCESS(error));
    icu::StringByteSink<std::string> sink(&out);
    nfc->normalizeUTF8(0, icu::StringPiece(text.data(), static_cast<int32_t>(text.size())), sink,
                       nullptr, error);
    TERMINUS_CHECK(U_SUCCESS(error));
  }
};

absl::StatusOr<std::unique_ptr<const Normalizer>> MakeBert(const JsonNode& section) {
  BertNormalizer::Options options;
  TERMINUS_ASSIGN_OR_RETURN(options.clean_text, section.BoolOr("clean_text", true));
  TERMINUS_ASSIGN_OR_RETURN(options.handle_chinese_chars,
                            section.BoolOr("handle_chinese_chars", true));
  TERMINUS_ASSIGN_OR_RETURN(options.lowercase, section.BoolOr("lowercase", true));
  TERMINUS_ASSIGN_OR_RETURN(options.strip_accents,
                            section.BoolOr("strip_accents", options.lowercase));
  return std::make_unique<BertNormalizer>(options);
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Normalizer>> MakeNormalizer(const JsonNode& section) {
  if (section.IsNull()) return std::make_unique<NoNormalizer>();
  TERMINUS_RETURN_IF_ERROR(section.ExpectType({"BertNormalizer", "NFC"}));
  if (section.Member("type").value() == "NFC") return std::make_unique<NfcNormalizer>();
  return MakeBert(section);
}

}  // namespace terminus::tokenizer
