#include "models/text/sentence_config.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/settings/json_file.h"

namespace terminus::models::text {
namespace {

using settings::JsonFile;

// Of a module's path, which is one folder or two.
constexpr size_t kMaxPathBytes = 255;

std::string Join(const std::string& folder, const std::string& path) {
  return path.empty() ? folder : absl::StrCat(folder, "/", path);
}

// Whether a module lies where the folder's own files do.
bool IsInside(const std::string& path) {
  if (path.size() > kMaxPathBytes || absl::StartsWith(path, "/")) {
    return false;
  }
  const std::filesystem::path parts = path;
  return std::find(parts.begin(), parts.end(), "..") == parts.end();
}

absl::StatusOr<Pooling> ReadPooling(const std::string& folder) {
  TERMINUS_ASSIGN_OR_RETURN(JsonFile file, JsonFile::Read(absl::StrCat(folder, "/config.json")));
  // Either "pooling_mode": "mean", or one boolean for each mode.
  std::string modes = file.StringOr("pooling_mode", "");
  for (const auto& [key, value] : file.json().items()) {
    if (absl::StartsWith(key, "pooling_mode_") && value.is_boolean() && value.get<bool>()) {
      absl::StrAppend(&modes, modes.empty() ? "" : ", ", key.substr(sizeof("pooling_mode_") - 1));
    }
  }
  if (!file.BoolOr("include_prompt", true)) {
    file.Fault("include_prompt", "false, supported is true");
  }
  TERMINUS_RETURN_IF_ERROR(file.status());
  if (modes == "mean" || modes == "mean_tokens") {
    return Pooling::kMean;
  }
  if (modes == "cls" || modes == "cls_token") {
    return Pooling::kCls;
  }
  if (modes == "last" || modes == "lasttoken") {
    return Pooling::kLast;
  }
  file.Fault("pooling_mode",
             absl::StrCat("\"", modes,
                          "\", supported are mean_tokens, cls_token and lasttoken, one of them"));
  return file.status();
}

absl::Status ReadModules(const std::string& folder, SentenceConfig* config) {
  TERMINUS_ASSIGN_OR_RETURN(JsonFile file,
                            JsonFile::ReadArray(absl::StrCat(folder, "/modules.json")));
  for (const nlohmann::json& module : file.json()) {
    if (!module.is_object() || !module.value("type", nlohmann::json()).is_string() ||
        !module.value("path", nlohmann::json("")).is_string()) {
      file.Fault("modules", "each needs a \"type\" and a \"path\"");
      return file.status();
    }
    const std::string type = module["type"].get<std::string>();
    const std::string path = module.value("path", "");
    const std::string name = type.substr(type.rfind('.') + 1);
    if (!IsInside(path)) {
      file.Fault("path", absl::StrCat("\"", path.substr(0, kMaxPathBytes),
                                      "\", expected a folder inside of this one"));
      return file.status();
    }
    if (name == "Transformer") {
      config->encoder_folder = Join(folder, path);
    } else if (name == "Pooling") {
      TERMINUS_ASSIGN_OR_RETURN(config->pooling, ReadPooling(Join(folder, path)));
      config->has_pooling = true;
    } else if (name == "Normalize") {
      config->normalize = true;
    } else {
      file.Fault(type, "not supported; supported are Transformer, Pooling and Normalize");
    }
  }
  return file.status();
}

absl::Status ReadPrompts(const std::string& path, SentenceConfig* config) {
  TERMINUS_ASSIGN_OR_RETURN(JsonFile file, JsonFile::Read(path));
  if (const std::string name = file.StringOr("default_prompt_name", ""); !name.empty()) {
    file.Fault("default_prompt_name",
               absl::StrCat("\"", name, "\", supported is null: a request names its prompt"));
  }
  const auto prompts = file.json().find("prompts");
  if (prompts == file.json().end() || prompts->is_null()) {
    return file.status();
  }
  if (!prompts->is_object()) {
    file.Fault("prompts", "expected an object of strings");
    return file.status();
  }
  for (const auto& [name, prompt] : prompts->items()) {
    if (!prompt.is_string()) {
      file.Fault(absl::StrCat("prompts.", name), "expected a string");
    } else if (!name.empty()) {
      // An empty one is a name too: documents of Qwen3-Embedding have it.
      config->prompts[name] = prompt.get<std::string>();
    }
  }
  return file.status();
}

}  // namespace

absl::StatusOr<SentenceConfig> ReadSentenceConfig(const std::string& folder) {
  SentenceConfig config{.encoder_folder = folder};
  if (std::filesystem::exists(folder + "/modules.json")) {
    TERMINUS_RETURN_IF_ERROR(ReadModules(folder, &config));
  }
  const std::string lengths = config.encoder_folder + "/sentence_bert_config.json";
  if (std::filesystem::exists(lengths)) {
    TERMINUS_ASSIGN_OR_RETURN(JsonFile file, JsonFile::Read(lengths));
    config.max_tokens = static_cast<int>(file.IntOr("max_seq_length", 3, 1 << 20, 0));
    TERMINUS_RETURN_IF_ERROR(file.status());
  }
  const std::string prompts = folder + "/config_sentence_transformers.json";
  if (std::filesystem::exists(prompts)) {
    TERMINUS_RETURN_IF_ERROR(ReadPrompts(prompts, &config));
  }
  return config;
}

}  // namespace terminus::models::text
