#pragma once

#include <initializer_list>

#include "common/settings/json_file.h"

namespace terminus::settings {

// Faults the keys that stand in the file as null. For those where the reference takes null for a
// value of its own, such as false, and not for the default.
void RefuseNull(JsonFile& file, std::initializer_list<const char*> keys);

}  // namespace terminus::settings
