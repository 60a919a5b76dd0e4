#include "models/bundle/decoder.h"

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/executor/guard.h"
#include "models/bundle/device.h"
#include "common/settings/json_file.h"
#include "models/decoder/llama_config.h"
#include "models/decoder/load.h"

namespace terminus::models::bundle {
namespace {

using settings::JsonFile;
using nlohmann::json;

constexpr size_t kMaxTemplateBytes = 1 << 20;

// A special token stands as a string or as an object with its content.
std::string ReadToken(JsonFile& file, const std::string& key) {
  const auto token = file.json().find(key);
  if (token != file.json().end() && token->is_object()) {
    JsonFile object = file.Object(key);
    std::string content = object.String("content");
    file.Adopt(key, object);
    return content;
  }
  return file.StringOr(key, "");
}

// Several templates have names; the one for plain conversations is "default".
std::string ReadTemplate(JsonFile& file) {
  const auto found = file.json().find("chat_template");
  if (found == file.json().end() || !found->is_array()) {
    return file.StringOr("chat_template", "");
  }
  for (const json& entry : *found) {
    if (entry.is_object() && entry.value("name", json()) == "default" &&
        entry.value("template", json()).is_string()) {
      return entry["template"].get<std::string>();
    }
  }
  file.Fault("chat_template", "expected a string, or a list with a \"default\" one");
  return "";
}

absl::Status ReadTokenizerConfig(const std::string& folder, DecoderModel* model) {
  const std::string path = folder + "/tokenizer_config.json";
  if (std::filesystem::exists(path)) {
    TERMINUS_ASSIGN_OR_RETURN(JsonFile file, JsonFile::Read(path));
    model->chat_template = ReadTemplate(file);
    model->bos_token = ReadToken(file, "bos_token");
    model->eos_token = ReadToken(file, "eos_token");
    TERMINUS_RETURN_IF_ERROR(file.status());
  }
  const std::string jinja = folder + "/chat_template.jinja";
  if (std::filesystem::exists(jinja)) {
    TERMINUS_ASSIGN_OR_RETURN(model->chat_template, base::ReadFile(jinja, kMaxTemplateBytes));
  }
  return absl::OkStatus();
}

absl::Status ReadGenerationConfig(const std::string& folder, int vocab_size, DecoderModel* model) {
  const std::string path = folder + "/generation_config.json";
  if (!std::filesystem::exists(path)) {
    return absl::OkStatus();
  }
  TERMINUS_ASSIGN_OR_RETURN(JsonFile file, JsonFile::Read(path));
  GenerationDefaults& generation = model->generation;
  generation.sample = file.BoolOr("do_sample", generation.sample);
  generation.temperature = file.NumberOr("temperature", generation.temperature);
  generation.top_k = static_cast<int>(file.IntOr("top_k", 0, 1 << 24, generation.top_k));
  generation.top_p = file.NumberOr("top_p", generation.top_p);
  generation.repetition_penalty =
      file.NumberOr("repetition_penalty", generation.repetition_penalty);
  if (!(generation.temperature >= 0)) {
    file.Fault("temperature", "expected a number from 0");
  }
  if (!(generation.top_p > 0 && generation.top_p <= 1)) {
    file.Fault("top_p", "expected a number above 0, at most 1");
  }
  if (!(generation.repetition_penalty > 0)) {
    file.Fault("repetition_penalty", "expected a number above 0");
  }
  const std::vector<int32_t> eos = decoder::ReadEosTokenIds(file, vocab_size);
  if (!eos.empty()) {
    model->eos_token_ids = eos;
  }
  return file.status();
}

absl::Status LoadInto(const std::string& folder, const decoder::LmOptions& options,
                      DecoderModel* model) {
  TERMINUS_ASSIGN_OR_RETURN(const at::Device device, ResolveDevice(options.device));
  model->device = device.str();
  TERMINUS_ASSIGN_OR_RETURN(model->lm, decoder::LoadCausalLm(folder, device, options));
  TERMINUS_ASSIGN_OR_RETURN(const auto config, decoder::ReadLlamaConfig(folder));
  model->eos_token_ids = config.eos_token_ids;
  const std::string tokenizer = folder + "/tokenizer.json";
  TERMINUS_ASSIGN_OR_RETURN(model->tokenizer, tokenizer::Tokenizer::Load(tokenizer));
  if (model->tokenizer->vocabulary_size() > config.vocab_size) {
    return absl::InvalidArgumentError(
        absl::StrCat(tokenizer, " has ids up to ", model->tokenizer->vocabulary_size() - 1,
                     ", the model has ", config.vocab_size, " of them"));
  }
  TERMINUS_RETURN_IF_ERROR(ReadTokenizerConfig(folder, model));
  return ReadGenerationConfig(folder, config.vocab_size, model);
}

}  // namespace

absl::StatusOr<DecoderModel> LoadDecoder(const BundleManifest& manifest,
                                         const decoder::LmOptions& options) {
  if (!manifest.decoder) {
    return absl::FailedPreconditionError(
        absl::StrCat(manifest.folder, " (", manifest.name, ") has no language model"));
  }
  executor::SetComputeThreads(options.threads);
  DecoderModel model;
  TERMINUS_RETURN_IF_ERROR(
      executor::RunGuarded([&] { return LoadInto(manifest.decoder->path, options, &model); }));
  return model;
}

}  // namespace terminus::models::bundle
