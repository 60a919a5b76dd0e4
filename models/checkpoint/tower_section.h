#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/settings/json_file.h"

namespace terminus::models::checkpoint {

// What a config.json says of one of a model's two towers: its "text_config" or "vision_config", or
// all of it when the folder holds that tower alone.
class TowerSection {
 public:
  // `key` is "text_config" or "vision_config". The file is bound to `both`, or to `alone` where it
  // describes that tower alone. Where `both` declares "text_config_dict", as CLIP's old configs
  // have it, that object replaces the section with all its defaults, as in transformers.
  static absl::StatusOr<TowerSection> Read(const std::string& folder, const std::string& key,
                                           const settings::Table* both,
                                           const settings::Table* alone);

  settings::JsonFile& tower() { return key_.empty() ? model_ : tower_; }
  // What both towers share; the tower itself when it is alone.
  settings::JsonFile& model() { return model_; }

  // OK, or INVALID_ARGUMENT with all faults of both. To be called once.
  absl::Status Finish();

 private:
  TowerSection(settings::JsonFile model, settings::JsonFile tower, std::string key)
      : model_(std::move(model)), tower_(std::move(tower)), key_(std::move(key)) {}

  settings::JsonFile model_;
  settings::JsonFile tower_;
  std::string key_;  // Empty: the tower is the model.
};

}  // namespace terminus::models::checkpoint
