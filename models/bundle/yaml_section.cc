#include "models/bundle/yaml_section.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"

namespace terminus::models::bundle {
namespace {

constexpr size_t kMaxBytes = 1 << 20;

}  // namespace

absl::StatusOr<YamlFile> YamlFile::Read(const std::string& path) {
  TERMINUS_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(path, kMaxBytes));
  try {
    YAML::Node node = YAML::Load(text);
    if (!node.IsMap()) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": not a YAML mapping"));
    }
    return YamlFile(path, std::move(node));
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", error.what()));
  }
}

YamlSection YamlFile::root() { return YamlSection(this, "", node_); }

absl::Status YamlFile::status() const {
  if (faults_.empty()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(path_, ": ", absl::StrJoin(faults_, "; ")));
}

YAML::Node YamlSection::Find(const std::string& key) {
  known_.insert(key);
  if (!node_.IsMap()) {
    return YAML::Node(YAML::NodeType::Undefined);
  }
  return std::as_const(node_)[key];
}

bool YamlSection::Has(const std::string& key) { return Find(key).IsDefined(); }

YamlSection YamlSection::Child(const std::string& key) {
  const YAML::Node node = Find(key);
  if (!node.IsDefined() || !node.IsMap()) {
    Fault(key, node.IsDefined() ? "expected a mapping" : "missing");
    return YamlSection(file_, absl::StrCat(prefix_, key, "."), YAML::Node(YAML::NodeType::Map));
  }
  return YamlSection(file_, absl::StrCat(prefix_, key, "."), node);
}

std::string YamlSection::String(const std::string& key) {
  const YAML::Node node = Find(key);
  if (!node.IsDefined() || !node.IsScalar() || node.Scalar().empty()) {
    Fault(key, node.IsDefined() ? "expected a string" : "missing");
    return "";
  }
  return node.Scalar();
}

int64_t YamlSection::Int(const std::string& key, int64_t min, int64_t max) {
  if (!Has(key)) {
    Fault(key, "missing");
    return min;
  }
  return IntOr(key, min, max, min);
}

int64_t YamlSection::IntOr(const std::string& key, int64_t min, int64_t max, int64_t otherwise) {
  const YAML::Node node = Find(key);
  if (!node.IsDefined()) {
    return otherwise;
  }
  int64_t value = 0;
  if (!node.IsScalar() || !absl::SimpleAtoi(node.Scalar(), &value) || value < min || value > max) {
    Fault(key, absl::StrCat(node.IsScalar() ? node.Scalar() : "not a scalar",
                            ", expected an integer from ", min, " to ", max));
    return min;
  }
  return value;
}

double YamlSection::NumberOr(const std::string& key, double otherwise) {
  const YAML::Node node = Find(key);
  if (!node.IsDefined()) {
    return otherwise;
  }
  double value = 0;
  if (!node.IsScalar() || !absl::SimpleAtod(node.Scalar(), &value)) {
    Fault(key, "expected a number");
    return otherwise;
  }
  return value;
}

void YamlSection::Fault(const std::string& key, const std::string& message) {
  file_->faults_.push_back(absl::StrCat(prefix_, key, ": ", message));
}

void YamlSection::Done() {
  for (const auto& entry : node_) {
    const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "(not a string)";
    if (!known_.contains(key)) {
      Fault(key, absl::StrCat("unknown key; known are ", absl::StrJoin(known_, ", ")));
    }
  }
}

}  // namespace terminus::models::bundle
