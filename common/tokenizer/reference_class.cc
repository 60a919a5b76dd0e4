#include "common/tokenizer/reference_class.h"

#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"

namespace terminus::tokenizer {
namespace {

constexpr std::pair<absl::string_view, ReferenceClass> kClasses[] = {
    {"TokenizersBackend", ReferenceClass::kBackend},
    {"BertTokenizer", ReferenceClass::kBert},
    {"CLIPTokenizer", ReferenceClass::kClip},
    {"GemmaTokenizer", ReferenceClass::kGemma},
    {"GPT2Tokenizer", ReferenceClass::kGpt2},
    {"LlamaTokenizer", ReferenceClass::kLlama},
    {"Qwen2Tokenizer", ReferenceClass::kQwen2},
    {"SiglipTokenizer", ReferenceClass::kSiglip},
    {"Siglip2Tokenizer", ReferenceClass::kSiglip2},
    {"XLMRobertaTokenizer", ReferenceClass::kXlmRoberta},
};

// Of a type of model.
struct Registration {
  absl::string_view model_type;
  // The class that transformers registers for it; nothing where it registers none.
  absl::optional<ReferenceClass> registered;
  // The registered class counts, whatever the folder declares.
  bool overrides = false;
};

constexpr Registration kRegistrations[] = {
    {"", absl::nullopt},
    {"bert", ReferenceClass::kBert},
    {"clip", ReferenceClass::kClip},
    {"clip_text_model", absl::nullopt},
    {"llama", absl::nullopt},
    {"mistral", ReferenceClass::kBackend},
    {"qwen2", ReferenceClass::kQwen2, /*overrides=*/true},
    {"qwen3", ReferenceClass::kQwen2},
    {"siglip", ReferenceClass::kSiglip},
    {"siglip_text_model", absl::nullopt},
    {"smollm3", absl::nullopt},
};

absl::StatusOr<ReferenceClass> FindClass(const std::string& name) {
  // Names of the class that takes tokenizer.json as it stands.
  for (const absl::string_view backend :
       {"PreTrainedTokenizerFast", "PreTrainedTokenizer", "PythonBackend"}) {
    if (name == backend) return ReferenceClass::kBackend;
  }
  const absl::string_view stripped = absl::StripSuffix(name, "Fast");
  std::vector<absl::string_view> supported;
  for (const auto& [known, reference_class] : kClasses) {
    if (stripped == known) return reference_class;
    supported.push_back(known);
  }
  return absl::InvalidArgumentError(absl::StrCat("tokenizer_class: \"", name,
                                                 "\", supported are PreTrainedTokenizerFast, ",
                                                 absl::StrJoin(supported, ", ")));
}

absl::StatusOr<Registration> FindRegistration(const std::string& model_type) {
  for (const Registration& registration : kRegistrations) {
    if (registration.model_type == model_type) return registration;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "model_type: \"", model_type, "\": the tokenizer class that belongs to it is not known"));
}

}  // namespace

absl::string_view NameOf(ReferenceClass reference_class) {
  for (const auto& [name, known] : kClasses) {
    if (known == reference_class) return name;
  }
  return "";
}

absl::StatusOr<ReferenceClass> ChooseClass(const ClassEvidence& evidence) {
  TERMINUS_ASSIGN_OR_RETURN(const Registration model, FindRegistration(evidence.model_type));
  const absl::optional<std::string>& declared =
      evidence.declared_class ? evidence.declared_class : evidence.config_class;
  if (!declared) return model.registered.value_or(ReferenceClass::kBackend);
  if (model.overrides && !evidence.auto_map) return *model.registered;
  if (model.registered == ReferenceClass::kBackend && !evidence.auto_map) {
    return ReferenceClass::kBackend;
  }
  TERMINUS_ASSIGN_OR_RETURN(const ReferenceClass found, FindClass(*declared));
  // LlamaTokenizer cannot make such a file anew.
  if (found == ReferenceClass::kLlama && evidence.byte_level && !evidence.auto_map) {
    return ReferenceClass::kBackend;
  }
  return found;
}

}  // namespace terminus::tokenizer
