#include "models/settings/tables.h"

#include "models/settings/config_common.h"

namespace terminus::models::settings {

std::vector<const Table*> AllTables() { return {&kCommonConfig}; }

}  // namespace terminus::models::settings
