#include "models/text/sentence_config.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/settings/refuse_null.h"
#include "models/settings/sentence_files.h"
#include "models/text/sentence_modules.h"
#include "models/text/transformer_module.h"

namespace terminus::models::text {
namespace {

using settings::JsonFile;

absl::Status ReadPrompts(const std::string& path, SentenceConfig* config) {
  TERMINUS_ASSIGN_OR_RETURN(JsonFile file,
                            JsonFile::Read(path, &settings::kSentenceTransformersConfig));
  terminus::settings::RefuseNull(file, {"model_type"});
  const JsonFile prompts = file.Object("prompts");
  for (const auto& [name, prompt] : prompts.json().items()) {
    if (!prompt.is_string() && !prompt.is_null()) {
      file.Fault(absl::StrCat("prompts.", name), "expected a string");
    } else if (!name.empty()) {
      // An empty prompt has a name too: documents of Qwen3-Embedding have it.
      config->prompts[name] = prompt.is_null() ? "" : prompt.get<std::string>();
    }
  }
  const std::string name = file.StringOr("default_prompt_name", "");
  if (const auto found = config->prompts.find(name); found != config->prompts.end()) {
    config->default_prompt = found->second;
  } else if (!name.empty()) {
    file.Fault("default_prompt_name", absl::StrCat("\"", name, "\" is none of the prompts"));
  }
  return file.status();
}

}  // namespace

TokenLimit SentenceConfig::Limit(int positions) const {
  TokenLimit least{.tokens = positions, .source = "max_position_embeddings of config.json"};
  // Of equal ones the files' own is named.
  int below = positions + 1;
  for (const TokenLimit& limit : limits) {
    if (limit.tokens < below) {
      below = limit.tokens;
      least = limit;
    }
  }
  return least;
}

absl::StatusOr<int> SentenceConfig::OutputDimension(int pooled) const {
  int dimension = pooled;
  for (const SentenceStep& step : steps) {
    if (step.kind != SentenceStep::Kind::kDense) {
      continue;
    }
    if (step.dense.in_features != dimension) {
      return absl::InvalidArgumentError(
          absl::StrCat(step.dense.folder, "/config.json: in_features: ", step.dense.in_features,
                       ", the vectors before have ", dimension, " elements"));
    }
    dimension = step.dense.out_features;
  }
  return dimension;
}

absl::StatusOr<SentenceConfig> ReadSentenceConfig(const std::string& folder) {
  SentenceConfig config{.encoder_folder = folder};
  config.has_modules = std::filesystem::exists(folder + "/modules.json");
  if (config.has_modules) {
    TERMINUS_RETURN_IF_ERROR(ReadModules(folder, &config));
    TERMINUS_RETURN_IF_ERROR(ReadTransformerModule(&config));
  }
  const std::string prompts = folder + "/config_sentence_transformers.json";
  if (std::filesystem::exists(prompts)) {
    TERMINUS_RETURN_IF_ERROR(ReadPrompts(prompts, &config));
  }
  if (!config.has_modules) {
    // sentence-transformers does not look at the file then: a prompt is used only by its name.
    config.default_prompt.clear();
  }
  return config;
}

}  // namespace terminus::models::text
