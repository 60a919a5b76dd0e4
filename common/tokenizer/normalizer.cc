#include "common/tokenizer/normalizer.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <utility>
#include <vector>

#include "common/base/status_macros.h"
#include "common/tokenizer/bert_normalizer.h"
#include "common/tokenizer/charsmap.h"
#include "common/tokenizer/json_node.h"
#include "common/tokenizer/text_normalizers.h"
#include "common/tokenizer/unicode_form.h"

namespace terminus::tokenizer {
namespace {

class NoNormalizer : public Normalizer {
 public:
  void Normalize(absl::string_view text, std::string& out) const override {
    out.append(text.data(), text.size());
  }
  bool KeepsBeginning() const override { return true; }
};

// One behind the other; at least one.
class NormalizerSequence : public Normalizer {
 public:
  explicit NormalizerSequence(std::vector<std::unique_ptr<const Normalizer>> stages)
      : stages_(std::move(stages)) {}

  void Normalize(absl::string_view text, std::string& out) const override {
    std::string current;
    std::string next;
    for (size_t i = 0; i + 1 < stages_.size(); ++i) {
      next.clear();
      stages_[i]->Normalize(text, next);
      current.swap(next);
      text = current;
    }
    stages_.back()->Normalize(text, out);
  }

  bool KeepsBeginning() const override {
    return std::all_of(stages_.begin(), stages_.end(),
                       [](const auto& stage) { return stage->KeepsBeginning(); });
  }

 private:
  const std::vector<std::unique_ptr<const Normalizer>> stages_;
};

// A BertNormalizer's tables cover all of Unicode: those with the same options share one, which
// lives as long as the process.
class SharedBertNormalizer : public Normalizer {
 public:
  explicit SharedBertNormalizer(const BertNormalizer::Options& options)
      : normalizer_(Find(options)) {}

  void Normalize(absl::string_view text, std::string& out) const override {
    normalizer_.Normalize(text, out);
  }
  bool KeepsBeginning() const override { return normalizer_.KeepsBeginning(); }

 private:
  static const BertNormalizer& Find(const BertNormalizer::Options& options) {
    static std::array<std::once_flag, 16> once;
    static std::array<std::unique_ptr<const BertNormalizer>, 16> made;
    const size_t index = (options.clean_text ? 1U : 0U) + (options.handle_chinese_chars ? 2U : 0U) +
                         (options.strip_accents ? 4U : 0U) + (options.lowercase ? 8U : 0U);
    std::call_once(once[index],
                   [&] { made[index] = std::make_unique<const BertNormalizer>(options); });
    return *made[index];
  }

  const BertNormalizer& normalizer_;
};

absl::StatusOr<std::unique_ptr<const Normalizer>> MakeBert(const JsonNode& section) {
  BertNormalizer::Options options;
  TERMINUS_ASSIGN_OR_RETURN(options.clean_text, section.BoolOr("clean_text", true));
  TERMINUS_ASSIGN_OR_RETURN(options.handle_chinese_chars,
                            section.BoolOr("handle_chinese_chars", true));
  TERMINUS_ASSIGN_OR_RETURN(options.lowercase, section.BoolOr("lowercase", true));
  TERMINUS_ASSIGN_OR_RETURN(options.strip_accents,
                            section.BoolOr("strip_accents", options.lowercase));
  return std::make_unique<SharedBertNormalizer>(options);
}

absl::StatusOr<std::unique_ptr<const Normalizer>> MakeStrip(const JsonNode& section) {
  TERMINUS_ASSIGN_OR_RETURN(const bool left, section.Member("strip_left").Bool());
  TERMINUS_ASSIGN_OR_RETURN(const bool right, section.Member("strip_right").Bool());
  return std::make_unique<StripNormalizer>(left, right);
}

absl::StatusOr<std::unique_ptr<const Normalizer>> MakeSequence(const JsonNode& section) {
  TERMINUS_ASSIGN_OR_RETURN(const auto flat, section.Flattened("normalizers"));
  if (flat.empty()) return std::make_unique<NoNormalizer>();
  std::vector<std::unique_ptr<const Normalizer>> stages;
  for (const JsonNode& element : flat) {
    TERMINUS_RETURN_IF_ERROR(element.ExpectObject());
    TERMINUS_ASSIGN_OR_RETURN(stages.emplace_back(), MakeNormalizer(element));
  }
  return std::make_unique<NormalizerSequence>(std::move(stages));
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Normalizer>> MakeNormalizer(const JsonNode& section) {
  if (section.IsNull()) return std::make_unique<NoNormalizer>();
  TERMINUS_RETURN_IF_ERROR(section.ExpectType("normalizer"));
  const auto& type = section.Member("type").value().get_ref<const std::string&>();
  if (type == "BertNormalizer") return MakeBert(section);
  if (type == "ByteLevel") return std::make_unique<ByteLevelNormalizer>();
  if (type == "Lowercase") return std::make_unique<LowercaseNormalizer>();
  if (type == "Nmt") return std::make_unique<NmtNormalizer>();
  if (type == "Precompiled") return Charsmap::FromJson(section);
  if (type == "Prepend") {
    TERMINUS_ASSIGN_OR_RETURN(std::string prefix, section.Member("prepend").String());
    return std::make_unique<PrependNormalizer>(std::move(prefix));
  }
  if (type == "Replace") return ReplaceNormalizer::FromJson(section);
  if (type == "Sequence") return MakeSequence(section);
  if (type == "Strip") return MakeStrip(section);
  if (type == "StripAccents") return std::make_unique<StripAccentsNormalizer>();
  return MakeUnicodeForm(type);
}

}  // namespace terminus::tokenizer
