#pragma once

#include <vector>

#include "models/settings/config_common.h"

// The declared keys of the files in a model folder. No torch: the readers in models/text,
// models/vision, models/decoder and models/bundle bind to these tables, docs/models.md is made of
// them, and tests hold them to the keys that the reference knows.
namespace terminus::models::settings {

// Every table, objects inside files included, in the order of the docs.
std::vector<const Table*> AllTables();

}  // namespace terminus::models::settings
