#include "common/tokenizer/normalizer.h"

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

}  // namespace

absl::StatusOr<std::unique_ptr<const Normalizer>> MakeNormalizer(const JsonNode& section) {
  if (section.IsNull()) return std::make_unique<NoNormalizer>();
  TERMINUS_RETURN_IF_ERROR(section.ExpectType({"BertNormalizer"}));
  BertNormalizer::Options options;
  TERMINUS_ASSIGN_OR_RETURN(options.clean_text, section.BoolOr("clean_text", true));
  TERMINUS_ASSIGN_OR_RETURN(options.handle_chinese_chars,
                            section.BoolOr("handle_chinese_chars", true));
  TERMINUS_ASSIGN_OR_RETURN(options.lowercase, section.BoolOr("lowercase", true));
  TERMINUS_ASSIGN_OR_RETURN(options.strip_accents,
                            section.BoolOr("strip_accents", options.lowercase));
  return std::make_unique<BertNormalizer>(options);
}

}  // namespace terminus::tokenizer
