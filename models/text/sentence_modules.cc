#include "models/text/sentence_modules.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/settings/refuse_null.h"
#include "models/settings/sentence_files.h"

namespace terminus::models::text {
namespace {

using nlohmann::json;
using settings::JsonFile;

// Of a module's path, which is one folder or two.
constexpr size_t kMaxPathBytes = 255;
constexpr size_t kMaxModules = 16;

enum class Kind { kTransformer, kPooling, kNormalize, kDense };

struct ModuleClass {
  absl::string_view path;
  Kind kind;
};

// Every path by which files of sentence-transformers 1 to 6 name these classes.
constexpr ModuleClass kClasses[] = {
    {"sentence_transformers.models.Transformer", Kind::kTransformer},
    {"sentence_transformers.models.Transformer.Transformer", Kind::kTransformer},
    {"sentence_transformers.base.modules.Transformer", Kind::kTransformer},
    {"sentence_transformers.base.modules.transformer.Transformer", Kind::kTransformer},
    {"sentence_transformers.sentence_transformer.modules.Transformer", Kind::kTransformer},
    {"sentence_transformers.models.Pooling", Kind::kPooling},
    {"sentence_transformers.models.Pooling.Pooling", Kind::kPooling},
    {"sentence_transformers.sentence_transformer.modules.Pooling", Kind::kPooling},
    {"sentence_transformers.sentence_transformer.modules.pooling.Pooling", Kind::kPooling},
    {"sentence_transformers.models.Normalize", Kind::kNormalize},
    {"sentence_transformers.models.Normalize.Normalize", Kind::kNormalize},
    {"sentence_transformers.base.modules.Normalize", Kind::kNormalize},
    {"sentence_transformers.base.modules.normalize.Normalize", Kind::kNormalize},
    {"sentence_transformers.sentence_transformer.modules.Normalize", Kind::kNormalize},
    {"sentence_transformers.sentence_transformer.modules.normalize.Normalize", Kind::kNormalize},
    {"sentence_transformers.models.Dense", Kind::kDense},
    {"sentence_transformers.models.Dense.Dense", Kind::kDense},
    {"sentence_transformers.base.modules.Dense", Kind::kDense},
    {"sentence_transformers.base.modules.dense.Dense", Kind::kDense},
    {"sentence_transformers.sentence_transformer.modules.Dense", Kind::kDense},
};

constexpr char kExpected[] =
    "expected sentence_transformers' own Transformer, Pooling, then any of Dense and Normalize";

struct Module {
  Kind kind;
  std::string folder;
  // Whether the folder is the whole model's own.
  bool is_root;
};

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

std::optional<Kind> FindKind(const std::string& type) {
  const auto* found = std::find_if(std::begin(kClasses), std::end(kClasses),
                                   [&](const ModuleClass& known) { return known.path == type; });
  return found == std::end(kClasses) ? std::nullopt : std::optional<Kind>(found->kind);
}

absl::StatusOr<Module> ReadModule(const std::string& folder, const std::string& list,
                                  const json& element, std::set<std::string>& names) {
  TERMINUS_ASSIGN_OR_RETURN(JsonFile file,
                            JsonFile::Parse(list, element.dump(), &settings::kModule));
  const std::string type = file.String("type");
  const std::string path = file.StringOr("path", "");
  const std::string name = file.StringOr("name", "");
  const std::optional<Kind> kind = FindKind(type);
  if (!kind) {
    file.Fault("type", absl::StrCat("\"", type, "\" is not supported; ", kExpected));
  }
  if (!IsInside(path)) {
    file.Fault("path", absl::StrCat("\"", path.substr(0, kMaxPathBytes),
                                    "\", expected a folder inside of this one"));
  }
  if (!name.empty() && !names.insert(name).second) {
    file.Fault("name", absl::StrCat("\"", name, "\" stands twice"));
  }
  TERMINUS_RETURN_IF_ERROR(file.status());
  return Module{.kind = *kind, .folder = Join(folder, path), .is_root = path.empty()};
}

// The modes that are on: of "pooling_mode", or of one boolean for each in files of old versions.
std::string ReadModes(JsonFile& file) {
  struct Flag {
    const char* key;
    const char* mode;
  };
  constexpr Flag kFlags[] = {
      {"pooling_mode_cls_token", "cls"},
      {"pooling_mode_max_tokens", "max"},
      {"pooling_mode_mean_tokens", "mean"},
      {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"},
      {"pooling_mode_weightedmean_tokens", "weightedmean"},
      {"pooling_mode_lasttoken", "lasttoken"},
  };
  if (const json* mode = file.Find("pooling_mode")) {
    const bool one = mode->is_array() && mode->size() == 1 && mode->front().is_string();
    return one                 ? mode->front().get<std::string>()
           : mode->is_string() ? mode->get<std::string>()
                               : mode->dump();
  }
  std::string modes;
  for (const Flag& flag : kFlags) {
    if (file.BoolOr(flag.key, false)) {
      absl::StrAppend(&modes, modes.empty() ? "" : ", ", flag.mode);
    }
  }
  return modes.empty() ? "mean" : modes;
}

absl::StatusOr<Pooling> ReadPooling(const std::string& folder) {
  TERMINUS_ASSIGN_OR_RETURN(JsonFile file,
                            JsonFile::Read(folder + "/config.json", &settings::kPoolingModule));
  terminus::settings::RefuseNull(file, {"include_prompt"});
  const std::string modes = ReadModes(file);
  if (modes != "mean" && modes != "cls" && modes != "lasttoken") {
    file.Fault("pooling_mode", absl::StrCat("\"", modes, "\", supported are \"mean\", \"cls\" ",
                                            "and \"lasttoken\", one of them"));
  }
  TERMINUS_RETURN_IF_ERROR(file.status());
  return modes == "mean" ? Pooling::kMean : modes == "cls" ? Pooling::kCls : Pooling::kLast;
}

// Files of old versions have no config.json for it.
absl::Status CheckNormalize(const Module& module) {
  const std::string path = module.folder + "/config.json";
  if (module.is_root || !std::filesystem::exists(path)) {
    return absl::OkStatus();
  }
  TERMINUS_ASSIGN_OR_RETURN(const JsonFile file, JsonFile::Read(path, &settings::kNormalizeModule));
  return file.status();
}

absl::Status AddStep(const Module& module, SentenceConfig* config) {
  if (module.kind == Kind::kDense) {
    TERMINUS_ASSIGN_OR_RETURN(DenseConfig dense, ReadDenseConfig(module.folder));
    config->steps.push_back({.kind = SentenceStep::Kind::kDense, .dense = std::move(dense)});
    return absl::OkStatus();
  }
  TERMINUS_RETURN_IF_ERROR(CheckNormalize(module));
  config->steps.push_back({.kind = SentenceStep::Kind::kNormalize});
  return absl::OkStatus();
}

// Whether module `i` may be of that kind.
bool IsInOrder(size_t i, Kind kind) {
  if (i < 2) {
    return kind == (i == 0 ? Kind::kTransformer : Kind::kPooling);
  }
  return kind == Kind::kDense || kind == Kind::kNormalize;
}

}  // namespace

absl::Status ReadModules(const std::string& folder, SentenceConfig* config) {
  const std::string path = folder + "/modules.json";
  TERMINUS_ASSIGN_OR_RETURN(JsonFile list, JsonFile::ReadArray(path));
  if (list.json().size() > kMaxModules) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": ", list.json().size(), " modules, supported are ", kMaxModules));
  }
  std::set<std::string> names;
  for (size_t i = 0; i < list.json().size(); ++i) {
    TERMINUS_ASSIGN_OR_RETURN(const Module module, ReadModule(folder, path, list.json()[i], names));
    if (!IsInOrder(i, module.kind)) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": module ", i, " stands in the wrong place; ", kExpected));
    }
    if (module.kind == Kind::kTransformer) {
      config->encoder_folder = module.folder;
    } else if (module.kind == Kind::kPooling) {
      TERMINUS_ASSIGN_OR_RETURN(config->pooling, ReadPooling(module.folder));
      config->has_pooling = true;
    } else {
      TERMINUS_RETURN_IF_ERROR(AddStep(module, config));
    }
  }
  if (!config->has_pooling) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": no Pooling; ", kExpected));
  }
  return absl::OkStatus();
}

}  // namespace terminus::models::text
