#include "models/bundle/template_source.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/settings/collector.h"

namespace terminus::models::bundle {
namespace {

using Json = nlohmann::json;
using Templates = std::map<std::string, TemplateSource>;

constexpr size_t kMaxTemplateBytes = 1 << 20;
constexpr size_t kMaxConfigBytes = 64 << 20;
constexpr char kDefault[] = "default";

// Python reads text files so that every line ends with one "\n".
absl::StatusOr<std::string> ReadText(const std::string& path) {
  TERMINUS_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(path, kMaxTemplateBytes));
  return absl::StrReplaceAll(text, {{"\r\n", "\n"}, {"\r", "\n"}});
}

absl::Status AddFile(const std::string& path, const std::string& name, Templates* templates) {
  TERMINUS_ASSIGN_OR_RETURN(std::string text, ReadText(path));
  (*templates)[name] = {.place = path, .text = std::move(text)};
  return absl::OkStatus();
}

// The templates that stand in files of their own, by name.
absl::StatusOr<Templates> ReadTemplateFiles(const std::string& folder) {
  Templates templates;
  const std::string single = folder + "/chat_template.jinja";
  if (std::filesystem::exists(single)) {
    TERMINUS_RETURN_IF_ERROR(AddFile(single, kDefault, &templates));
  }
  std::error_code error;
  std::vector<std::filesystem::path> paths;
  for (const auto& entry :
       std::filesystem::directory_iterator(folder + "/additional_chat_templates", error)) {
    if (entry.path().extension() == ".jinja") {
      paths.push_back(entry.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  for (const std::filesystem::path& path : paths) {
    TERMINUS_RETURN_IF_ERROR(AddFile(path.string(), path.stem().string(), &templates));
  }
  return templates;
}

absl::Status BadTemplate(const std::string& place) {
  return absl::InvalidArgumentError(absl::StrCat(
      place, ": expected a string, or a list of objects with \"name\" and \"template\""));
}

// The templates in "chat_template" of tokenizer_config.json, by name.
absl::StatusOr<Templates> ReadConfigTemplates(const std::string& folder) {
  const std::string path = folder + "/tokenizer_config.json";
  Templates templates;
  if (!std::filesystem::exists(path)) {
    return templates;
  }
  TERMINUS_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(path, kMaxConfigBytes));
  const Json config = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!config.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": not a JSON object"));
  }
  const Json found = config.value("chat_template", Json());
  const std::string place = path + ", chat_template";
  if (found.is_string()) {
    templates[kDefault] = {.place = place, .text = found.get<std::string>()};
  } else if (found.is_array()) {
    for (const Json& one : found) {
      if (!one.is_object() || !one.value("name", Json()).is_string() ||
          !one.value("template", Json()).is_string()) {
        return BadTemplate(place);
      }
      const std::string name = one["name"].get<std::string>();
      templates[name] = {.place = absl::StrCat(place, ", \"", name, "\""),
                         .text = one["template"].get<std::string>()};
    }
  } else if (!found.is_null()) {
    return BadTemplate(place);
  }
  return templates;
}

}  // namespace

absl::StatusOr<absl::optional<TemplateSource>> ReadTemplateSource(const std::string& folder) {
  const std::string processors = folder + "/chat_template.json";
  if (std::filesystem::exists(processors)) {
    terminus::settings::Warn(
        absl::StrCat(processors, ": not looked at (only processors of pictures read it)"));
  }
  TERMINUS_ASSIGN_OR_RETURN(Templates templates, ReadTemplateFiles(folder));
  if (templates.empty()) {
    TERMINUS_ASSIGN_OR_RETURN(templates, ReadConfigTemplates(folder));
  }
  if (templates.empty()) {
    return absl::optional<TemplateSource>();
  }
  const auto found = templates.find(kDefault);
  if (found == templates.end()) {
    std::vector<std::string> names;
    for (const auto& [name, source] : templates) {
      names.push_back(name);
    }
    return absl::InvalidArgumentError(absl::StrCat(folder, ": several chat templates (",
                                                   absl::StrJoin(names, ", "),
                                                   "), none of them is named \"default\""));
  }
  return absl::optional<TemplateSource>(std::move(found->second));
}

}  // namespace terminus::models::bundle
