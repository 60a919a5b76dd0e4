#include "models/bundle/decoder.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"
#include "common/chat/chat_template.h"
#include "common/executor/guard.h"
#include "common/tokenizer/folder.h"
#include "models/bundle/device.h"
#include "models/bundle/template_source.h"
#include "models/bundle/tower.h"
#include "models/decoder/llama_config.h"
#include "models/decoder/load.h"

namespace terminus::models::bundle {
namespace {

// Those that a chat template may write out by name.
chat::SpecialTokens SpecialTokensOf(const tokenizer::FolderTokenizer& tokenizer) {
  chat::SpecialTokens tokens;
  for (const auto& [name, token] : tokenizer.special_tokens) {
    if (name == "bos_token") {
      tokens.bos = token;
    } else if (name == "eos_token") {
      tokens.eos = token;
    } else {
      tokens.others.emplace_back(name, token);
    }
  }
  return tokens;
}

absl::StatusOr<std::unique_ptr<const chat::ChatTemplate>> ReadTemplate(const std::string& folder) {
  TERMINUS_ASSIGN_OR_RETURN(const auto source, ReadTemplateSource(folder));
  if (!source.has_value()) {
    return std::unique_ptr<const chat::ChatTemplate>();
  }
  auto parsed = chat::ChatTemplate::Parse(source->text);
  if (!parsed.ok()) {
    return base::Annotate(parsed.status(), source->place);
  }
  return parsed;
}

absl::Status LoadInto(const std::string& folder, const decoder::LmOptions& options,
                      DecoderModel* model) {
  at::Device device = at::kMeta;
  if (!options.check_only) {
    TERMINUS_ASSIGN_OR_RETURN(device, ResolveDevice(options.device));
  }
  model->device = device.str();
  model->options = decoder::ResolveSizes(options, device.is_cuda());
  TERMINUS_ASSIGN_OR_RETURN(model->lm, decoder::LoadCausalLm(folder, device, options));
  TERMINUS_ASSIGN_OR_RETURN(const auto config, decoder::ReadLlamaConfig(folder));
  TERMINUS_ASSIGN_OR_RETURN(tokenizer::FolderTokenizer tokenizer,
                            tokenizer::LoadFolder(folder, {.decodes = true}));
  WarnOfTokensBeyond(folder + "/tokenizer.json", *tokenizer.tokenizer, config.vocab_size);
  model->special_tokens = SpecialTokensOf(tokenizer);
  model->tokenizer = std::move(tokenizer.tokenizer);
  TERMINUS_ASSIGN_OR_RETURN(model->chat_template, ReadTemplate(folder));
  TERMINUS_ASSIGN_OR_RETURN(model->generation,
                            decoder::ReadGenerationSettings(folder, config.vocab_size));
  return absl::OkStatus();
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
