#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/tokenizer/tokenizer.h"
#include "models/bundle/manifest.h"
#include "models/bundle/verify_report.h"
#include "models/decoder/causal_lm.h"
#include "models/decoder/lm_options.h"

// A bundle's language model, ready to serve. No torch in this header.
namespace terminus::models::bundle {

// What generation_config.json says; a request's own parameters come before it.
struct GenerationDefaults {
  bool sample = false;  // False: greedy.
  double temperature = 1;
  int top_k = 0;  // 0: all.
  double top_p = 1;
  double repetition_penalty = 1;
};

struct DecoderModel {
  std::unique_ptr<decoder::CausalLm> lm;
  std::unique_ptr<const tokenizer::Tokenizer> tokenizer;
  // The Jinja source of tokenizer_config.json or chat_template.jinja; empty: none, so that only
  // plain prompts can be answered. The special tokens it may name stand beside it.
  std::string chat_template;
  std::string bos_token;
  std::string eos_token;
  // Any of them ends a sequence. Of generation_config.json, else of config.json.
  std::vector<int32_t> eos_token_ids;
  GenerationDefaults generation;
  // Where it computes: "cpu" or "cuda:N".
  std::string device;
};

// FAILED_PRECONDITION when the manifest has no decoder section.
absl::StatusOr<DecoderModel> LoadDecoder(const BundleManifest& manifest,
                                         const decoder::LmOptions& options);

// Continues the bundle's golden prompts greedily, each alone and all in one batch, and compares
// logits and token ids. Writes to the model's KV blocks: before they are handed out. A bundle
// without goldens is only checked for giving the same alone and in a batch. DATA_LOSS says which
// prompt is off, by how much, and the tolerance. What was compared goes to `report`, if there is
// one.
absl::Status VerifyDecoder(const BundleManifest& manifest, DecoderModel& model,
                           VerifyReport* report = nullptr);

}  // namespace terminus::models::bundle
