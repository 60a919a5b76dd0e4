#pragma once

#include "common/settings/collector.h"
#include "common/settings/json_file.h"
#include "common/settings/table.h"

namespace terminus::models::settings {

// In namespaces of terminus::models, `settings` is this namespace, not terminus::settings. The
// latter's names stand here too, so that readers write settings::JsonFile with and without tables.
using terminus::settings::JsonFile;
using terminus::settings::Table;
using terminus::settings::Warn;

// Keys that transformers' PreTrainedConfig takes for every family: base of each config.json's
// table.
extern const Table kCommonConfig;

}  // namespace terminus::models::settings
