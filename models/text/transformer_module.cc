#include "models/text/transformer_module.h"

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/settings/refuse_null.h"
#include "models/settings/sentence_files.h"

namespace terminus::models::text {
namespace {

using settings::JsonFile;

constexpr int kMaxTokens = 1 << 24;

// The first of these that is there and not empty counts; their keys are the same.
constexpr const char* kFiles[] = {
    "sentence_bert_config.json",       "sentence_roberta_config.json",
    "sentence_distilbert_config.json", "sentence_camembert_config.json",
    "sentence_albert_config.json",     "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
};

void AddLimit(JsonFile& file, const std::string& key, const std::string& prefix,
              SentenceConfig* config) {
  const std::string name = std::filesystem::path(file.path()).filename().string();
  if (const int64_t tokens = file.IntOr(key, 1, kMaxTokens, 0); tokens > 0) {
    config->limits.push_back(
        {.tokens = static_cast<int>(tokens), .source = absl::StrCat(prefix, key, " of ", name)});
  }
}

// Arguments of a Python call: any but the declared ones would change what it does.
void RefuseOthers(JsonFile& object, const settings::Table& table) {
  for (const auto& [key, value] : object.json().items()) {
    if (table.Find(key) == nullptr) {
      object.Fault(key, "not a supported argument");
    }
  }
}

// An object of arguments with a limit at `limit`.
void ReadArguments(JsonFile& file, const std::string& key, const settings::Table& table,
                   const std::string& prefix, const std::string& limit, SentenceConfig* config) {
  JsonFile object = file.Object(key);
  terminus::settings::RefuseNull(
      object, {"add_bos_token", "add_eos_token", "model_max_length", "truncation"});
  RefuseOthers(object, table);
  if (!limit.empty()) {
    AddLimit(object, limit, prefix + key + ".", config);
  }
  file.Adopt(key, object);
}

void ReadProcessing(JsonFile& file, SentenceConfig* config) {
  constexpr char kProcessing[] = "processing_kwargs";
  JsonFile processing = file.Object(kProcessing);
  for (const char* key : {"text", "common"}) {
    ReadArguments(processing, key, settings::kProcessingOfTexts, "processing_kwargs.", "max_length",
                  config);
  }
  file.Adopt(kProcessing, processing);
}

absl::Status ReadFile(JsonFile& file, SentenceConfig* config) {
  AddLimit(file, "max_seq_length", "", config);
  config->lower_case = file.BoolOr("do_lower_case", false);
  for (const char* key : {"model_kwargs", "model_args"}) {
    ReadArguments(file, key, settings::kModelArguments, "", "", config);
  }
  for (const char* key : {"processor_kwargs", "tokenizer_args"}) {
    ReadArguments(file, key, settings::kProcessorArguments, "", "model_max_length", config);
  }
  ReadProcessing(file, config);
  return file.status();
}

}  // namespace

absl::Status ReadTransformerModule(SentenceConfig* config) {
  for (const char* name : kFiles) {
    const std::string path = absl::StrCat(config->encoder_folder, "/", name);
    if (!std::filesystem::exists(path)) {
      continue;
    }
    TERMINUS_ASSIGN_OR_RETURN(JsonFile file, JsonFile::Read(path, &settings::kTransformerModule));
    if (!file.json().empty()) {
      return ReadFile(file, config);
    }
  }
  return absl::OkStatus();
}

}  // namespace terminus::models::text
