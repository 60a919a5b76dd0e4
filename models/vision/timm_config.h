#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "common/media/preprocessor_config.h"

namespace terminus::models::vision {

// What the config.json of a timm folder says beside its architecture's layers.
struct TimmConfig {
  std::string architecture;  // Without a tag behind a dot, such as ".in1k".
  int classes = 0;
  // Of "model_args"; empty where they leave it to the architecture.
  absl::optional<std::string> pad_type;
  absl::optional<double> batch_norm_eps;
  // How timm's create_transform prepares pictures for inference.
  media::PreprocessorConfig preprocessor;
};

// Reads FOLDER/config.json as timm.create_model("local-dir:FOLDER") does. INVALID_ARGUMENT names
// each value that is not supported.
absl::StatusOr<TimmConfig> ReadTimmConfig(const std::string& folder);

}  // namespace terminus::models::vision
