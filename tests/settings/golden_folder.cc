#include "tests/settings/golden_folder.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/check.h"
#include "models/checkpoint/fake_checkpoint.h"

namespace terminus::settings_test {
namespace {

using models::checkpoint::WriteTestFile;
using nlohmann::json;

constexpr char kGoldens[] = "tests/golden/settings";

Change ChangeOf(const json& triple) { return {triple[0], triple[1], triple[2]}; }

}  // namespace

json ReadGolden(const std::string& name) {
  std::ifstream file(absl::StrCat(kGoldens, "/", name, ".json"));
  TERMINUS_CHECK(file.good());
  return json::parse(file);
}

std::vector<std::string> GoldenNames() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kGoldens)) {
    const std::string name = entry.path().stem();
    if (entry.path().extension() == ".json" && ReadGolden(name).contains("known")) {
      names.push_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string Case::Name() const {
  return absl::StrJoin(changes, " and ", [](std::string* out, const Change& change) {
    absl::StrAppend(out, change.table, ": ", change.key, " = ", change.value.dump());
  });
}

std::vector<Case> SingleChanges(const json& golden) {
  std::vector<Case> cases;
  for (const auto& [table, keys] : golden["changes"].items()) {
    for (const auto& [key, values] : keys.items()) {
      for (const json& value : values) {
        cases.push_back({{{table, key, value[0]}}, value[1]});
      }
    }
  }
  return cases;
}

std::vector<Case> Pairs(const json& golden) {
  std::vector<Case> cases;
  for (const json& pair : golden["pairs"]) {
    cases.push_back({{ChangeOf(pair[0]), ChangeOf(pair[1])}, pair[2]});
  }
  return cases;
}

GoldenFolder::GoldenFolder(const json& golden) : golden_(golden), files_(golden["files"]) {
  if (golden["served"].is_string()) {
    const json served =
        models::checkpoint::ReadGolden("served/" + golden["served"].get<std::string>());
    for (const json& name : golden["taken"]) {
      files_[name] = served["files"][name.get<std::string>()];
    }
  }
  for (const auto& [name, content] : files_.items()) {
    Write(name, content);
  }
  for (const auto& [name, tensors] : golden["tensors"].items()) {
    TERMINUS_CHECK(models::checkpoint::WriteFakeWeights(folder_.Path(name), tensors).ok());
  }
}

void GoldenFolder::Write(const std::string& file, const json& content) const {
  WriteTestFile(folder_.Path(file), content.dump());
}

void GoldenFolder::Apply(const std::vector<Change>& changes) {
  for (const auto& [name, content] : written_.items()) {
    Write(name, files_[name]);
  }
  written_ = json::object();
  for (const Change& change : changes) {
    const json& path = golden_["paths"].at(change.table);
    const auto file = path[0].get<std::string>();
    if (!written_.contains(file)) {
      written_[file] = files_[file];
    }
    json* object = &written_[file];
    for (size_t i = 1; i < path.size(); ++i) {
      object = path[i].is_number() ? &(*object)[path[i].get<size_t>()]
                                   : &(*object)[path[i].get<std::string>()];
      if (!object->is_object() && !object->is_array()) {
        *object = json::object();
      }
    }
    (*object)[change.key] = change.value;
  }
  for (const auto& [name, content] : written_.items()) {
    Write(name, content);
  }
}

}  // namespace terminus::settings_test
