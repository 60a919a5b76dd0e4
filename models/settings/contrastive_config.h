#pragma once

#include "models/settings/config_common.h"

// Declared keys of the config.json of models with a text and an image tower.
namespace terminus::models::settings {

extern const Table kClipConfig;
extern const Table kSiglipConfig;

}  // namespace terminus::models::settings
