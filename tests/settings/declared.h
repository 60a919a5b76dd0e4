#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/settings/collector.h"
#include "common/settings/table.h"

// Declared keys beside those that the reference knows.
namespace terminus::settings_test {

// A table that a golden holds to the reference.
struct HeldTable {
  std::string golden;
  std::string name;              // The golden's name for it, such as "bert" or "clip.text_config".
  const settings::Table* table;  // Null where there is none.
  nlohmann::json known;          // An object whose keys are the reference's.
};

// Those of one golden, and of all.
std::vector<HeldTable> HeldTables(const std::string& golden);
std::vector<HeldTable> AllHeldTables();

// The first golden that holds the table; the others have folders in which some keys are not read.
std::string FirstGoldenOf(const settings::Table& table);

// All rows of the table and of its bases, in the order in which they count. A row may be hidden by
// one of the same name before it.
std::vector<const settings::Key*> Rows(const settings::Table& table);

// Keys that the reference knows and none of the rows declares.
std::vector<std::string> Undeclared(const std::vector<const settings::Key*>& rows,
                                    const nlohmann::json& known);

// Keys that are declared as used and that no reader asked for.
std::vector<std::string> UnreadKeys(const settings::Table& table,
                                    const settings::Collector::Reads& reads);

// Every table, bases included, of the files that goldens change, which no golden holds.
std::vector<std::string> TablesWithoutGolden();

}  // namespace terminus::settings_test
