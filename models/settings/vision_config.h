#pragma once

#include "models/settings/config_common.h"

// Declared keys of the config.json of transformers' image encoders.
namespace terminus::models::settings {

// The "vision_config" objects of "clip" and "siglip".
extern const Table kClipVisionConfig;
extern const Table kSiglipVisionConfig;

// Whole files.
extern const Table kClipVisionModelConfig;
extern const Table kSiglipVisionModelConfig;
extern const Table kVitConfig;
extern const Table kDinov2Config;
extern const Table kResNetConfig;

}  // namespace terminus::models::settings
