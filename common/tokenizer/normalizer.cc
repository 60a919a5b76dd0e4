#include "common/tokenizer/normalizer.h"

#include <unicode/normalizer2.h>
#include <unicode/stringpiece.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "common/tokenizer/bert_normalizer.h"
#include "common/tokenizer/json_node.h"

namespace terminus::tokenizer {
namespace {

class NoNormalizer : public Normalizer {
 public:
  void Normalize(absl::string_view text, std::string& out) const override {
    out.append(text.data(), text.size());
  }
};

// Canonical composition.
class NfcNormalizer : public Normalizer {
 public:
  void Normalize(absl::string_view text, std::string& out) const override {
    if (std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isascii(c); })) {
      out.append(text.data(), text.size());
      return;
    }
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
