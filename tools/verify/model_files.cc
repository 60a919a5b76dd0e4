#include "tools/verify/model_files.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/file.h"

namespace terminus::tools::verify {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr size_t kMaxFileBytes = 64 << 20;

// Whether a module lies where the folder's own files do.
bool IsInside(const std::string& path) {
  const fs::path parts = path;
  return !path.empty() && !absl::StartsWith(path, "/") &&
         std::find(parts.begin(), parts.end(), "..") == parts.end();
}

}  // namespace

std::string ModelFiles::PathOf(absl::string_view file) const {
  return absl::StrCat(folder_, "/", file);
}

bool ModelFiles::Has(absl::string_view file) const {
  std::error_code error;
  return fs::exists(PathOf(file), error);
}

json ModelFiles::Read(absl::string_view file) const {
  const auto text = base::ReadFile(PathOf(file), kMaxFileBytes);
  if (!text.ok()) return nullptr;
  json parsed = json::parse(*text, nullptr, /*allow_exceptions=*/false);
  return parsed.is_discarded() ? json() : parsed;
}

std::string ModelFiles::EncoderFolder() const {
  const json modules = Read("modules.json");
  if (!modules.is_array() || modules.empty()) return folder_;
  const std::string path = StringAt(modules.front(), "path");
  return IsInside(path) ? PathOf(path) : folder_;
}

json At(const json& json, absl::string_view key) {
  if (!json.is_object()) return nullptr;
  const auto found = json.find(std::string(key));
  return found == json.end() ? nlohmann::json() : *found;
}

std::string StringAt(const json& json, absl::string_view key) {
  const auto value = At(json, key);
  return value.is_string() ? value.get<std::string>() : "";
}

absl::optional<int64_t> IntAt(const json& json, absl::string_view key) {
  const auto value = At(json, key);
  if (!value.is_number_integer()) return absl::nullopt;
  return value.get<int64_t>();
}

}  // namespace terminus::tools::verify
