#include "models/checkpoint/tower_section.h"

#include <utility>

#include "absl/strings/match.h"
#include "common/base/status_macros.h"

namespace terminus::models::checkpoint {

absl::StatusOr<TowerSection> TowerSection::Read(const std::string& folder, const std::string& key) {
  TERMINUS_ASSIGN_OR_RETURN(settings::JsonFile model, settings::JsonFile::Read(folder + "/config.json"));
  // "clip_text_model", but "clip".
  const bool alone = absl::EndsWith(model.StringOr("model_type", ""), "_model");
  const auto legacy = model.json().find(key + "_dict");
  const bool is_legacy = legacy != model.json().end() && !legacy->is_null();
  std::string used = alone ? "" : is_legacy ? key + "_dict" : key;
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
