// The text of a language model's config.json.
#include <cmath>
#include <cstdint>
#include <string>

#include "models/decoder/llama_config.h"
#include "models/decoder/rope.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace terminus::models::decoder;
  const auto config =
      ParseLlamaConfig("config.json", std::string(reinterpret_cast<const char*>(data), size));
  if (!config.ok()) return 0;
  // What a model is then built of, without a further look.
  if (config->vocab_size < 1 || config->hidden_size < 1 || config->layers < 1 ||
      config->intermediate_size < 1 || config->max_positions < 1 || config->kv_heads < 1 ||
      config->heads % config->kv_heads != 0 || config->head_dim < 16 ||
      config->head_dim % 16 != 0 || !(config->rms_norm_eps > 0)) {
    __builtin_trap();
  }
  if (config->layer_attention.size() != static_cast<size_t>(config->layers)) __builtin_trap();
  for (const LayerAttention& layer : config->layer_attention) {
    if (layer.window < 0 || layer.window >= config->max_positions) __builtin_trap();
  }
  if (!std::isfinite(config->rope.attention_factor)) __builtin_trap();
  const auto frequencies = RopeFrequencies(config->rope, config->head_dim);
  if (static_cast<int>(frequencies.size()) != config->head_dim / 2) __builtin_trap();
  for (const float frequency : frequencies) {
    if (!std::isfinite(frequency) || frequency < 0) __builtin_trap();
  }
  return 0;
}
