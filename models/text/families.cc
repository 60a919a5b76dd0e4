#include "models/text/families.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/settings/json_file.h"
#include "models/text/bert.h"
#include "models/text/clip_text.h"
#include "models/text/qwen3.h"
#include "models/text/siglip_text.h"

namespace terminus::models::text {

const std::vector<TextFamily>& TextFamilies() {
  static const auto* families = new std::vector<TextFamily>{
      {"bert", ReadBertPlan},
      {"clip", ReadClipTextPlan},
      {"clip_text_model", ReadClipTextPlan},
      {"qwen3", ReadQwen3Plan},
      {"siglip", ReadSiglipTextPlan},
      {"siglip_text_model", ReadSiglipTextPlan},
  };
  return *families;
}

absl::StatusOr<TextPlan> ReadTextPlan(const SentenceConfig& sentence) {
  TERMINUS_ASSIGN_OR_RETURN(auto file,
                            settings::JsonFile::Read(sentence.encoder_folder + "/config.json"));
  const std::string type = file.StringOr("model_type", "");
  for (const TextFamily& family : TextFamilies()) {
    if (type == family.model_type) {
      TERMINUS_ASSIGN_OR_RETURN(TextPlan plan, family.read(sentence));
      TERMINUS_ASSIGN_OR_RETURN(plan.dimension, sentence.OutputDimension(plan.dimension));
      return plan;
    }
  }
  const std::string names =
      absl::StrJoin(TextFamilies(), ", ", [](std::string* out, const TextFamily& family) {
        absl::StrAppend(out, "\"", family.model_type, "\"");
      });
  file.Fault("model_type", absl::StrCat("\"", type, "\", supported for text are ", names));
  return file.status();
}

}  // namespace terminus::models::text
