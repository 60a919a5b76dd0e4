#include "models/checkpoint/tower_section.h"

#include <utility>

#include "absl/strings/match.h"
#include "common/base/status_macros.h"

namespace terminus::models::checkpoint {

absl::StatusOr<TowerSection> TowerSection::Read(const std::string& folder, const std::string& key,
                                                const settings::Table* both,
                                                const settings::Table* alone) {
  const std::string path = folder + "/config.json";
  TERMINUS_ASSIGN_OR_RETURN(settings::JsonFile any, settings::JsonFile::Read(path));
  // "clip_text_model", but "clip".
  if (absl::EndsWith(any.StringOr("model_type", ""), "_model")) {
    TERMINUS_ASSIGN_OR_RETURN(settings::JsonFile tower, settings::JsonFile::Read(path, alone));
    return TowerSection(std::move(tower), std::move(any), "");
  }
  TERMINUS_ASSIGN_OR_RETURN(settings::JsonFile model, settings::JsonFile::Read(path, both));
  const std::string legacy = key + "_dict";
  std::string used = both->Find(legacy) != nullptr && model.Has(legacy) ? legacy : key;
  settings::JsonFile tower = model.Object(used);
  return TowerSection(std::move(model), std::move(tower), std::move(used));
}

absl::Status TowerSection::Finish() {
  if (!key_.empty()) {
    model_.Adopt(key_, tower_);
  }
  return model_.status();
}

}  // namespace terminus::models::checkpoint
