// Walks YAML along the table of keys.

#include <yaml-cpp/yaml.h>

#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/nearest.h"
#include "common/base/status_macros.h"
#include "common/config/key.h"

namespace terminus::config {
namespace {

const Key* FindKey(const std::string& path) {
  for (const Key& key : Keys()) {
    if (key.path == path) {
      return &key;
    }
  }
  return nullptr;
}

bool IsSection(const std::string& path) {
  for (const Key& key : Keys()) {
    if (absl::StartsWith(key.path, path + ".")) {
      return true;
    }
  }
  return false;
}

absl::Status UnknownKey(const std::string& path) {
  const size_t dot = path.rfind('.');
  const std::string section = dot == std::string::npos ? "" : path.substr(0, dot + 1);
  std::set<std::string> siblings;
  std::vector<std::string> all;
  for (const Key& key : Keys()) {
    all.push_back(key.path);
    if (absl::StartsWith(key.path, section)) {
      const std::string rest = key.path.substr(section.size());
      siblings.insert(section + rest.substr(0, rest.find('.')));
    }
  }
  const std::string nearest =
      base::Nearest(path, siblings.empty() ? all : std::vector(siblings.begin(), siblings.end()));
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": unknown key; did you mean ", nearest, "?"));
}

absl::Status Walk(const YAML::Node& node, const std::string& path, ClusterConfig& config) {
  if (const Key* key = FindKey(path)) {
    std::vector<std::string> scalars;
    if (node.IsScalar()) {
      scalars.push_back(node.Scalar());
    } else if (node.IsSequence()) {
      for (const YAML::Node& element : node) {
        if (!element.IsScalar()) {
          return absl::InvalidArgumentError(absl::StrCat(path, ": expected a list of scalars"));
        }
        scalars.push_back(element.Scalar());
      }
    } else if (node.IsNull()) {
      return absl::OkStatus();  // "key:" with nothing behind it keeps the default.
    } else {
      return absl::InvalidArgumentError(absl::StrCat(path, ": expected a value, not a section"));
    }
    return Assign(*key, scalars, config);
  }
  if (!path.empty() && !IsSection(path)) {
    return UnknownKey(path);
  }
  if (node.IsNull()) {
    return absl::OkStatus();
  }
  if (!node.IsMap()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path.empty() ? "the file" : path, ": expected a section with keys"));
  }
  std::set<std::string> seen;
  for (const auto& entry : node) {
    const std::string name = entry.first.as<std::string>();
    const std::string child = path.empty() ? name : absl::StrCat(path, ".", name);
    if (!seen.insert(name).second) {
      return absl::InvalidArgumentError(absl::StrCat(child, ": given twice"));
    }
    TERMINUS_RETURN_IF_ERROR(Walk(entry.second, child, config));
  }
  return absl::OkStatus();
}

// "key=value"; the value is YAML, so that lists can be given: text.listen=[a, b].
absl::Status Override(const std::string& assignment, ClusterConfig& config) {
  const std::pair<std::string, std::string> parts =
      absl::StrSplit(assignment, absl::MaxSplits('=', 1));
  if (!absl::StrContains(assignment, "=")) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", assignment, "': an override is written KEY=VALUE"));
  }
  if (FindKey(parts.first) == nullptr) {
    return UnknownKey(parts.first);
  }
  return Walk(YAML::Load(parts.second), parts.first, config);
}

}  // namespace

absl::StatusOr<ClusterConfig> ParseClusterConfig(const std::string& yaml,
                                                 const std::vector<std::string>& overrides) {
  ClusterConfig config;
  try {
    TERMINUS_RETURN_IF_ERROR(Walk(YAML::Load(yaml), "", config));
    for (const std::string& assignment : overrides) {
      TERMINUS_RETURN_IF_ERROR(Override(assignment, config));
    }
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(absl::StrCat("not valid YAML: ", error.what()));
  }
  return config;
}

}  // namespace terminus::config
