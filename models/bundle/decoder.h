#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/chat/chat_template.h"
#include "common/tokenizer/tokenizer.h"
#include "models/bundle/manifest.h"
#include "models/bundle/verify_report.h"
#include "models/decoder/causal_lm.h"
#include "models/decoder/generation_settings.h"
#include "models/decoder/lm_options.h"

// A bundle's language model, ready to serve. No torch in this header.
namespace terminus::models::bundle {

struct DecoderModel {
  std::unique_ptr<decoder::CausalLm> lm;
  std::unique_ptr<const tokenizer::Tokenizer> tokenizer;
  // Null: the folder has none, so that only plain prompts can be answered.
  std::unique_ptr<const chat::ChatTemplate> chat_template;
  // Those that the template may write out.
  chat::SpecialTokens special_tokens;
  // A request's own parameters come before some of it.
  decoder::GenerationSettings generation;
  // Where it computes: "cpu" or "cuda:N".
  std::string device;
  // As it was loaded, without zeros that stand for something.
  decoder::LmOptions options;
};

// FAILED_PRECONDITION when the manifest has no decoder section.
absl::StatusOr<DecoderModel> LoadDecoder(const BundleManifest& manifest,
                                         const decoder::LmOptions& options);

// The likeliest tokens behind a prompt, one after the other.
struct Continued {
  std::vector<int32_t> token_ids;
  // [vocab_size], of the first of them.
  std::vector<float> logits;
};

// Continues a prompt, which has tokens, by `count` tokens. Writes to the model's KV blocks: before
// they are handed out. FAILED_PRECONDITION or RESOURCE_EXHAUSTED when it does not fit.
absl::StatusOr<Continued> ContinueGreedily(DecoderModel& model,
                                           const std::vector<int32_t>& token_ids, int count);

// Continues the bundle's golden prompts greedily, each alone and all in one batch, and compares
// logits and token ids. Writes to the model's KV blocks: before they are handed out. A bundle
// without goldens is only checked for giving the same alone and in a batch. DATA_LOSS says which
// prompt is off, by how much, and the tolerance. What was compared goes to `report`, if there is
// one.
absl::Status VerifyDecoder(const BundleManifest& manifest, DecoderModel& model,
                           VerifyReport* report = nullptr);

}  // namespace terminus::models::bundle
