#include "common/settings/json_file.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/check.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/settings/collector.h"

namespace terminus::settings {
namespace {

constexpr size_t kMaxFileBytes = 64 << 20;

}  // namespace

absl::StatusOr<JsonFile> JsonFile::Read(const std::string& path, const Table* table) {
  TERMINUS_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(path, kMaxFileBytes));
  return Parse(path, text, table);
}

absl::StatusOr<JsonFile> JsonFile::Parse(const std::string& path, const std::string& text,
                                         const Table* table) {
  nlohmann::json json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": not a JSON object"));
  }
  JsonFile file(path, std::move(json), table);
  file.Check();
  return file;
}

absl::StatusOr<JsonFile> JsonFile::ReadArray(const std::string& path) {
  TERMINUS_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(path, kMaxFileBytes));
  nlohmann::json json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_array()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": not a JSON array"));
  }
  return JsonFile(path, std::move(json), nullptr);
}

void JsonFile::Check() {
  if (table_ == nullptr) {
    return;
  }
  Findings findings;
  CheckKeys(json_, *table_, "", &findings);
  faults_ = std::move(findings.faults);
  for (const std::string& warning : findings.warnings) {
    Warn(absl::StrCat(path_, ": ", warning));
  }
  if (!findings.unknown.empty()) {
    Warn(absl::StrCat(path_,
                      ": unknown keys, not looked at: ", absl::StrJoin(findings.unknown, ", ")));
  }
}

const nlohmann::json* JsonFile::Find(const std::string& key) const {
  if (table_ != nullptr) {
    const Key* declared = table_->Find(key);
    TERMINUS_CHECK(declared != nullptr && declared->effect == Effect::kUsed);
    NoteRead(*table_, key);
  }
  const auto it = json_.find(key);
  return it == json_.end() || it->is_null() ? nullptr : &*it;
}

int64_t JsonFile::Int(const std::string& key, int64_t min, int64_t max) {
  if (Find(key) == nullptr) {
    Fault(key, "missing");
    return min;
  }
  return IntOr(key, min, max, min);
}

int64_t JsonFile::IntOr(const std::string& key, int64_t min, int64_t max, int64_t otherwise) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr) {
    return otherwise;
  }
  if (!value->is_number_integer() || value->get<int64_t>() < min || value->get<int64_t>() > max) {
    Fault(key, absl::StrCat(value->dump(), ", expected an integer from ", min, " to ", max));
    return min;
  }
  return value->get<int64_t>();
}

double JsonFile::NumberOr(const std::string& key, double otherwise) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr) {
    return otherwise;
  }
  if (!value->is_number()) {
    Fault(key, absl::StrCat(value->dump(), ", expected a number"));
    return otherwise;
  }
  return value->get<double>();
}

bool JsonFile::BoolOr(const std::string& key, bool otherwise) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr) {
    return otherwise;
  }
  if (!value->is_boolean()) {
    Fault(key, absl::StrCat(value->dump(), ", expected true or false"));
    return otherwise;
  }
  return value->get<bool>();
}

std::string JsonFile::String(const std::string& key) {
  if (Find(key) == nullptr) {
    Fault(key, "missing");
    return "";
  }
  return StringOr(key, "");
}

std::string JsonFile::StringOr(const std::string& key, const std::string& otherwise) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr) {
    return otherwise;
  }
  if (!value->is_string()) {
    Fault(key, absl::StrCat(value->dump(), ", expected a string"));
    return otherwise;
  }
  return value->get<std::string>();
}

std::vector<double> JsonFile::NumbersOr(const std::string& key, std::vector<double> otherwise) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr) {
    return otherwise;
  }
  std::vector<double> numbers;
  if (value->is_array()) {
    for (const nlohmann::json& element : *value) {
      if (element.is_number()) {
        numbers.push_back(element.get<double>());
      }
    }
  }
  if (!value->is_array() || numbers.size() != value->size() || numbers.size() != otherwise.size()) {
    Fault(key, absl::StrCat("expected ", otherwise.size(), " numbers"));
    return otherwise;
  }
  return numbers;
}

JsonFile JsonFile::Object(const std::string& key) {
  const nlohmann::json* value = Find(key);
  if (value != nullptr && !value->is_object()) {
    Fault(key, "expected an object");
    value = nullptr;
  }
  const Key* declared = table_ == nullptr ? nullptr : table_->Find(key);
  return JsonFile(path_, value == nullptr ? nlohmann::json::object() : *value,
                  declared == nullptr ? nullptr : declared->object);
}

void JsonFile::Adopt(const std::string& key, const JsonFile& object) {
  for (const std::string& fault : object.faults_) {
    faults_.push_back(absl::StrCat(key, ".", fault));
  }
}

void JsonFile::Fault(const std::string& key, const std::string& message) {
  faults_.push_back(absl::StrCat(key, ": ", message));
}

absl::Status JsonFile::status() const {
  if (faults_.empty()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(path_, ": ", absl::StrJoin(faults_, "; ")));
}

}  // namespace terminus::settings
