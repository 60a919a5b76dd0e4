#pragma once

#include "common/settings/table.h"

namespace terminus::weights {

// The keys of a model.safetensors.index.json.
extern const settings::Table kIndexKeys;

}  // namespace terminus::weights
