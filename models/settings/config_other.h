#pragma once

#include "common/settings/table.h"

namespace terminus::models::settings {

// Keys that transformers asks every configuration for and that belong to other kinds of models:
// base of the table of every family.
extern const terminus::settings::Table kOtherConfig;

}  // namespace terminus::models::settings
