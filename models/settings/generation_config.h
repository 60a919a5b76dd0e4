#pragma once

#include "common/settings/table.h"

namespace terminus::models::settings {

// generation_config.json of a model that continues texts: the keys of transformers'
// GenerationConfig.
extern const terminus::settings::Table kGenerationConfig;

}  // namespace terminus::models::settings
