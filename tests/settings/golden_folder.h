#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/base/temp_folder.h"

// The goldens of tests/golden/settings, and the folders that they describe.
namespace terminus::settings_test {

// Another value for one key: `key` of the object that the golden's `table` stands for.
struct Change {
  std::string table;
  std::string key;
  nlohmann::json value;
};

// tests/golden/settings/NAME.json.
nlohmann::json ReadGolden(const std::string& name);

// The names of all goldens there that describe a folder and its changes.
std::vector<std::string> GoldenNames();

// One change, or two, and the outcome's index; -1 where the reference cannot load the folder.
struct Case {
  std::vector<Change> changes;
  int outcome = -1;

  // For messages: "bert: is_decoder = true".
  std::string Name() const;
};

std::vector<Case> SingleChanges(const nlohmann::json& golden);
std::vector<Case> Pairs(const nlohmann::json& golden);

// The golden's folder, with made-up weights.
class GoldenFolder {
 public:
  explicit GoldenFolder(const nlohmann::json& golden);

  // Writes the golden's JSON files again, with these changes and no earlier ones.
  void Apply(const std::vector<Change>& changes);

  const std::string& path() const { return folder_.path(); }

 private:
  void Write(const std::string& file, const nlohmann::json& content) const;

  const nlohmann::json& golden_;
  base::TempFolder folder_;
  nlohmann::json files_;    // By name, as the golden has them.
  nlohmann::json written_;  // By name, those that the last changes touched.
};

}  // namespace terminus::settings_test
