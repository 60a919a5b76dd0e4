#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "models/decoder/rope.h"
#include "models/settings/config_common.h"

namespace terminus::models::decoder {

// The decoder of "LLaMA: Open and Efficient Foundation Language Models" (Touvron et al., 2023) and
// those that differ from it by the fields here, as Hugging Face's LlamaForCausalLM,
// MistralForCausalLM and Qwen2ForCausalLM write their config.json.
struct LlamaConfig {
  int vocab_size = 0;
  int hidden_size = 0;
  int layers = 0;
  int heads = 0;
  int kv_heads = 0;
  int head_dim = 0;
  int intermediate_size = 0;
  int max_positions = 0;
  float rms_norm_eps = 1e-6f;
  bool tied_embeddings = false;
  bool qkv_bias = false;
  // Queries and keys are normalised, each head by itself, before they are turned.
  bool qk_norm = false;
  bool output_bias = false;
  bool mlp_bias = false;
  // Tokens do not see those behind them. False of encoders alone.
  bool causal = true;
  RopeConfig rope;

  int q_size() const { return heads * head_dim; }
  int kv_size() const { return kv_heads * head_dim; }
};

// Whether a config.json's model_type is one of them.
bool IsLlamaFamily(absl::string_view model_type);

// Reads FOLDER/config.json. INVALID_ARGUMENT says what is supported when the model is another.
absl::StatusOr<LlamaConfig> ReadLlamaConfig(const std::string& folder);

// The same of the one whose layers are used to encode texts, not to continue them: Qwen3Model, or
// a Qwen3ForCausalLM without its head.
absl::StatusOr<LlamaConfig> ReadQwen3EncoderConfig(const std::string& folder);

// The same as ReadLlamaConfig from the text of such a file; `name` is what messages call it.
absl::StatusOr<LlamaConfig> ParseLlamaConfig(const std::string& name, const std::string& text);

}  // namespace terminus::models::decoder
