// YAML and overrides into a config.

#include <yaml-cpp/yaml.h>

#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/errors.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/config/schema.h"

namespace terminus::config {
namespace {

constexpr size_t kMaxFileBytes = 1 << 20;
// The schema has three levels; deeper nesting is an error long before it is a danger.
constexpr int kMaxDepth = 16;

// The values of a document by their path. A list is one value.
using Values = std::map<std::string, YAML::Node>;

std::string Place(const YAML::Node& node) {
  return node.Mark().line < 0 ? "" : absl::StrCat(" (line ", node.Mark().line + 1, ")");
}

void Flatten(const std::string& path, const YAML::Node& node, int depth, Values& values,
             std::vector<std::string>& faults) {
  if (!node.IsMap()) {
    if (!values.emplace(path, node).second) {
      faults.push_back(absl::StrCat(path, ": given twice", Place(node)));
    }
    return;
  }
  if (depth == kMaxDepth) {
    faults.push_back(absl::StrCat(path, ": nested too deeply", Place(node)));
    return;
  }
  for (const auto& entry : node) {
    if (!entry.first.IsScalar()) {
      faults.push_back(absl::StrCat(path, ": a key is not a name", Place(entry.first)));
      continue;
    }
    Flatten(path.empty() ? entry.first.Scalar() : absl::StrCat(path, ".", entry.first.Scalar()),
            entry.second, depth + 1, values, faults);
  }
}

// Parsing throws, and so does reading a malformed number or anchor: this is the one place for it.
absl::StatusOr<YAML::Node> ParseYaml(const std::string& yaml) {
  try {
    return YAML::Load(yaml);
  } catch (const YAML::Exception& error) {
    return base::MakeError(
        absl::StatusCode::kInvalidArgument, base::kReasonInvalidRequest,
        absl::StrCat("not YAML: ", error.msg,
                     error.mark.line < 0 ? "" : absl::StrCat(" (line ", error.mark.line + 1, ")")));
  }
}

// Assigns a node to a member; returns what is wrong, or nothing.
class Assign {
 public:
  Assign(const YAML::Node& node, const Check& check) : node_(node), check_(check) {}

  std::string operator()(int* value) const {
    int64_t number = *value;
    std::string fault = (*this)(&number);
    *value = static_cast<int>(number);
    return fault;
  }

  std::string operator()(absl::Duration* value) const {
    int64_t milliseconds = 0;
    std::string fault = (*this)(&milliseconds);
    *value = absl::Milliseconds(milliseconds);
    return fault;
  }

  std::string operator()(int64_t* value) const {
    if (!node_.IsScalar()) {
      return "expected a whole number";
    }
    int64_t number = 0;
    if (!absl::SimpleAtoi(node_.Scalar(), &number)) {
      return absl::StrCat("'", node_.Scalar(), "', expected a whole number");
    }
    if (number < check_.min || number > check_.max) {
      return absl::StrCat(number, ", expected ", check_.expected);
    }
    *value = number;
    return "";
  }

  std::string operator()(std::string* value) const { return Text(node_, value); }

  std::string operator()(std::vector<std::string>* value) const {
    if (node_.IsNull()) {
      value->clear();
      return "";
    }
    if (node_.IsScalar()) {
      value->assign(1, "");
      return Text(node_, &value->front());
    }
    value->clear();
    for (const YAML::Node& entry : node_) {
      std::string fault = Text(entry, &value->emplace_back());
      if (!fault.empty()) {
        return absl::StrCat("entry ", value->size(), ": ", fault);
      }
    }
    return "";
  }

 private:
  std::string Text(const YAML::Node& node, std::string* value) const {
    if (!node.IsScalar() && !node.IsNull()) {
      return "expected a text";
    }
    *value = node.IsNull() ? "" : node.Scalar();
    if (check_.accepts != nullptr && !check_.accepts(*value)) {
      return absl::StrCat("'", *value, "', expected ", check_.expected);
    }
    return "";
  }

  const YAML::Node& node_;
  const Check& check_;
};

absl::Status Override(const std::string& text, Values& values) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    return base::MakeError(absl::StatusCode::kInvalidArgument, base::kReasonInvalidRequest,
                           absl::StrCat("'", text, "', expected KEY=VALUE"));
  }
  const std::string path = text.substr(0, equals);
  absl::StatusOr<YAML::Node> value = ParseYaml(text.substr(equals + 1));
  if (!value.ok()) {
    return base::Annotate(value.status(), path);
  }
  // Marks of the override's own text would be taken for lines of the file.
  values[path] = YAML::Clone(*value);
  return absl::OkStatus();
}

bool IsSection(const Schema& schema, const std::string& path) {
  for (const Key& key : schema.keys) {
    if (path.empty() || absl::StartsWith(key.path, path + ".")) {
      return true;
    }
  }
  return false;
}

void Bind(const Schema& schema, const Values& values, std::vector<std::string>& faults) {
  std::map<std::string, const Key*> keys;
  for (const Key& key : schema.keys) {
    keys[key.path] = &key;
  }
  for (const auto& [path, node] : values) {
    const auto key = keys.find(path);
    std::string fault;
    if (key != keys.end()) {
      fault = std::visit(Assign(node, key->second->check), key->second->value);
    } else if (!IsSection(schema, path)) {
      fault = absl::StrCat("unknown key; the nearest is ", NearestPath(schema, path));
    } else if (!node.IsNull()) {
      fault = "expected keys below it";
    }
    if (!fault.empty()) {
      faults.push_back(absl::StrCat(path.empty() ? "the file" : path, ": ", fault, Place(node)));
    }
  }
}

}  // namespace

absl::StatusOr<ClusterConfig> ParseClusterConfig(const std::string& yaml,
                                                 const std::vector<std::string>& overrides) {
  TERMINUS_ASSIGN_OR_RETURN(const YAML::Node document, ParseYaml(yaml));
  Values values;
  std::vector<std::string> faults;
  Flatten("", document, 0, values, faults);
  for (const std::string& text : overrides) {
    TERMINUS_RETURN_IF_ERROR(Override(text, values));
  }
  ClusterConfig config;
  Bind(SchemaOf(config), values, faults);
  if (!faults.empty()) {
    return base::MakeError(absl::StatusCode::kInvalidArgument, base::kReasonInvalidRequest,
                           absl::StrJoin(faults, "\n"));
  }
  return config;
}

absl::StatusOr<ClusterConfig> LoadClusterConfig(const std::string& path,
                                                const std::vector<std::string>& overrides) {
  std::string yaml;
  if (!path.empty()) {
    TERMINUS_ASSIGN_OR_RETURN(yaml, base::ReadFile(path, kMaxFileBytes));
  }
  absl::StatusOr<ClusterConfig> config = ParseClusterConfig(yaml, overrides);
  if (!config.ok() && !path.empty()) {
    return base::Annotate(config.status(), path);
  }
  return config;
}

}  // namespace terminus::config
