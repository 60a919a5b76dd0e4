#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/settings/json_file.h"

namespace terminus::models::decoder {

// Angles of rotary positions: pair i of a head turns by position · frequency[i].
struct RopeConfig {
  enum class Scaling {
    kDefault,
    // Llama 3.1's: low frequencies are divided by `factor`, those between are interpolated.
    kLlama3,
  };

  double theta = 10000;
  Scaling scaling = Scaling::kDefault;
  double factor = 1;
  double low_freq_factor = 1;
  double high_freq_factor = 4;
  double original_max_positions = 8192;
};

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
  RopeConfig rope;
  // May be empty.
  std::vector<int32_t> eos_token_ids;

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

// "eos_token_id", one or a list, of a config.json or generation_config.json; empty when absent.
// What is wrong is noted in `file`.
std::vector<int32_t> ReadEosTokenIds(settings::JsonFile& file, int vocab_size);

// One for each pair of a head's elements: [head_dim / 2].
std::vector<float> RopeFrequencies(const RopeConfig& rope, int head_dim);

}  // namespace terminus::models::decoder
