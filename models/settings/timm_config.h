#pragma once

#include "models/settings/config_common.h"

// Declared keys of the config.json of a timm folder.
namespace terminus::models::settings {

// The file, which old versions of timm wrote without "pretrained_cfg": its keys then stand in the
// file itself.
extern const Table kTimmConfig;
// "pretrained_cfg": how pictures are prepared, and what the weights are.
extern const Table kTimmPretrainedConfig;
// "model_args": arguments of timm.create_model. It fails for any other key.
extern const Table kTimmModelArgs;

}  // namespace terminus::models::settings
