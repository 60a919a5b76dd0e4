#pragma once

#include "models/settings/config_common.h"

// Keys of generation_config.json that config.json may have too: old versions repeated them there
// with their defaults.
namespace terminus::models::settings {

// In an encoder's file.
extern const Table kGenerationOfEncoders;
// In a language model's.
extern const Table kGenerationOfLanguageModels;

}  // namespace terminus::models::settings
