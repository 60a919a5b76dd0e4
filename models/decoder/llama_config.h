#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "models/decoder/rope.h"

namespace terminus::models::decoder {

// The attention settings of one layer.
struct LayerAttention {
  // A token sees itself and the `window` - 1 tokens before it. 0: all tokens before it.
  int window = 0;
  // Whether queries and keys are turned by their positions.
  bool rope = true;
};

// The decoder of "LLaMA: Open and Efficient Foundation Language Models" (Touvron et al., 2023) and
// those that differ from it by the fields here, as Hugging Face's LlamaForCausalLM,
// MistralForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM and SmolLM3ForCausalLM write their
// config.json. models/decoder/llama_architecture.h says what is computed.
struct LlamaConfig {
  int vocab_size = 0;
  int hidden_size = 0;
  int layers = 0;
  int heads = 0;
  int kv_heads = 0;  // Divides `heads`.
  int head_dim = 0;  // A multiple of 16; not always hidden_size / heads.
  int intermediate_size = 0;
  // Tokens of the longest context that is computed.
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
  std::vector<LayerAttention> layer_attention;  // [layers]

  int q_size() const { return heads * head_dim; }
  int kv_size() const { return kv_heads * head_dim; }
  // Products of queries and keys are multiplied by it.
  float attention_scale() const { return 1 / std::sqrt(static_cast<float>(head_dim)); }
};

// Whether a config.json's model_type is one that continues texts.
bool IsLlamaFamily(absl::string_view model_type);

// Reads FOLDER/config.json. INVALID_ARGUMENT says what is supported when the model is another.
absl::StatusOr<LlamaConfig> ReadLlamaConfig(const std::string& folder);

// The same of the one whose layers are used to encode texts, not to continue them: Qwen3Model, or
// a Qwen3ForCausalLM without its head. No layer has a window: where the file has one, the context
// ends there, because up to it nothing differs.
absl::StatusOr<LlamaConfig> ReadQwen3EncoderConfig(const std::string& folder);

// The same as ReadLlamaConfig from the text of such a file; `name` is what messages call it.
absl::StatusOr<LlamaConfig> ParseLlamaConfig(const std::string& name, const std::string& text);

}  // namespace terminus::models::decoder
