#pragma once

#include "common/settings/table.h"

namespace terminus::models::settings {

// Keys that transformers' PreTrainedConfig takes for every family: base of each config.json's
// table.
extern const terminus::settings::Table kCommonConfig;

}  // namespace terminus::models::settings
