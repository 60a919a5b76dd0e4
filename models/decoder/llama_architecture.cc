#include "models/decoder/llama_architecture.h"

#include "absl/strings/str_cat.h"

namespace terminus::models::decoder {

int64_t LinearSpec::out() const {
  int64_t rows = 0;
  for (const Part& part : parts) {
    rows += part.out;
  }
  return rows;
}

LayerSpec DescribeLayer(const LlamaConfig& config, int layer) {
  const std::string prefix = absl::StrCat("layers.", layer, ".");
  const std::string attention = prefix + "self_attn.";
  const std::string mlp = prefix + "mlp.";
  const int64_t hidden = config.hidden_size;
  const int64_t inner = config.intermediate_size;
  LayerSpec spec{
      .attention_norm = {.name = prefix + "input_layernorm", .width = hidden},
      .qkv = {.parts = {{attention + "q_proj", config.q_size()},
                        {attention + "k_proj", config.kv_size()},
                        {attention + "v_proj", config.kv_size()}},
              .in = hidden,
              .bias = config.qkv_bias},
      .query_norm = {},
      .key_norm = {},
      .attention_out = {.parts = {{attention + "o_proj", hidden}},
                        .in = config.q_size(),
                        .bias = config.output_bias},
      .mlp_norm = {.name = prefix + "post_attention_layernorm", .width = hidden},
      .gate_up = {.parts = {{mlp + "gate_proj", inner}, {mlp + "up_proj", inner}},
                  .in = hidden,
                  .bias = config.mlp_bias,
                  .gated = true},
      .down = {.parts = {{mlp + "down_proj", hidden}}, .in = inner, .bias = config.mlp_bias}};
  if (config.qk_norm) {
    spec.query_norm = {.name = attention + "q_norm", .width = config.head_dim};
    spec.key_norm = {.name = attention + "k_norm", .width = config.head_dim};
  }
  return spec;
}

NormSpec DescribeFinalNorm(const LlamaConfig& config) {
  return {.name = "norm", .width = config.hidden_size};
}

}  // namespace terminus::models::decoder
