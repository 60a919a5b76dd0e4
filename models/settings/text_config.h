#pragma once

#include "models/settings/config_common.h"

// Declared keys of the config.json of transformers' text encoders.
namespace terminus::models::settings {

extern const Table kBertConfig;

// The "text_config" objects of "clip" and "siglip".
extern const Table kClipTextConfig;
extern const Table kSiglipTextConfig;

// Whole files.
extern const Table kClipTextModelConfig;
extern const Table kSiglipTextModelConfig;

}  // namespace terminus::models::settings
