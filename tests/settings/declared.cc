#include "tests/settings/declared.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "models/settings/generation_config.h"
#include "models/settings/tables.h"
#include "tests/settings/golden_folder.h"

namespace terminus::settings_test {
namespace {

using nlohmann::json;
using settings::Key;
using settings::Table;

const Table* FindTable(const json& names) {
  for (const Table* table : models::settings::AllTables()) {
    if (names == json({table->file, table->kind})) {
      return table;
    }
  }
  return nullptr;
}

// The table and its bases, and theirs.
void AddWithBases(const Table* table, std::set<const Table*>* tables) {
  tables->insert(table);
  for (const Table* base : table->bases) {
    AddWithBases(base, tables);
  }
}

}  // namespace

std::vector<HeldTable> HeldTables(const std::string& golden) {
  std::vector<HeldTable> held;
  const json content = ReadGolden(golden);
  for (const auto& [name, known] : content["known"].items()) {
    held.push_back({golden, name, FindTable(content["tables"][name]), known});
  }
  return held;
}

std::vector<HeldTable> AllHeldTables() {
  std::vector<HeldTable> all;
  for (const std::string& golden : GoldenNames()) {
    for (HeldTable& held : HeldTables(golden)) {
      all.push_back(std::move(held));
    }
  }
  return all;
}

std::string FirstGoldenOf(const Table& table) {
  for (const HeldTable& held : AllHeldTables()) {
    if (held.table == &table) {
      return held.golden;
    }
  }
  return "";
}

std::vector<const Key*> Rows(const Table& table) {
  std::vector<const Key*> rows;
  for (const Key& key : table.keys) {
    rows.push_back(&key);
  }
  for (const Table* base : table.bases) {
    const std::vector<const Key*> more = Rows(*base);
    rows.insert(rows.end(), more.begin(), more.end());
  }
  return rows;
}

std::vector<std::string> Undeclared(const std::vector<const Key*>& rows, const json& known) {
  std::vector<std::string> undeclared;
  for (const auto& [name, how] : known.items()) {
    if (std::none_of(rows.begin(), rows.end(),
                     [&name = name](const Key* row) { return row->name == name; })) {
      undeclared.push_back(name);
    }
  }
  return undeclared;
}

std::vector<std::string> UnreadKeys(const Table& table, const settings::Collector::Reads& reads) {
  std::vector<std::string> unread;
  for (const Key* key : table.All()) {
    const std::string name(key->name);
    // Which table there is, "model_type" says itself; it is read before.
    if (name == "model_type") continue;
    // Keys of generation_config.json that config.json has are read as that file's.
    const bool of_generation = models::settings::kGenerationConfig.Find(name) != nullptr;
    if (key->effect == settings::Effect::kUsed && !of_generation &&
        !reads.contains({&table, name})) {
      unread.push_back(name);
    }
  }
  return unread;
}

std::vector<std::string> TablesWithoutGolden() {
  std::set<const Table*> held;
  std::set<absl::string_view> files;
  for (const HeldTable& one : AllHeldTables()) {
    if (one.table != nullptr) {
      AddWithBases(one.table, &held);
      files.insert(one.table->file);
    }
  }
  std::vector<std::string> missing;
  for (const Table* table : models::settings::AllTables()) {
    if (files.contains(table->file) && !held.contains(table)) {
      missing.push_back(table->Name());
    }
  }
  return missing;
}

}  // namespace terminus::settings_test
