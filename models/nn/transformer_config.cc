#include "models/nn/transformer_config.h"

#include "absl/strings/str_cat.h"

namespace terminus::models::nn {

Activation ReadActivation(settings::JsonFile& file, const std::string& otherwise) {
  const std::string name = file.StringOr("hidden_act", otherwise);
  if (name == "gelu") {
    return Activation::kGelu;
  }
  if (name == "gelu_new" || name == "gelu_pytorch_tanh") {
    return Activation::kGeluTanh;
  }
  if (name == "quick_gelu") {
    return Activation::kQuickGelu;
  }
  if (name == "relu") {
    return Activation::kRelu;
  }
  file.Fault("hidden_act", absl::StrCat("\"", name,
                                        "\", supported are \"gelu\", \"gelu_new\", "
                                        "\"gelu_pytorch_tanh\", \"quick_gelu\" and \"relu\""));
  return Activation::kGelu;
}

TransformerConfig ReadTransformerConfig(settings::JsonFile& file,
                                        const TransformerConfig& defaults) {
  TransformerConfig config = defaults;
  BlockConfig& block = config.block;
  MlpConfig& mlp = block.mlp;
  config.layers = static_cast<int>(file.IntOr("num_hidden_layers", 1, 1024, defaults.layers));
  mlp.hidden = static_cast<int>(file.IntOr("hidden_size", 1, 1 << 16, mlp.hidden));
  mlp.intermediate =
      static_cast<int>(file.IntOr("intermediate_size", 1, 1 << 20, mlp.intermediate));
  block.heads = static_cast<int>(file.IntOr("num_attention_heads", 1, 1024, block.heads));
  block.layer_norm_eps = file.NumberOr("layer_norm_eps", block.layer_norm_eps);
  if (!(block.layer_norm_eps > 0 && block.layer_norm_eps < 1)) {
    file.Fault("layer_norm_eps", "expected a number above 0, below 1");
  }
  if (mlp.hidden % block.heads != 0) {
    file.Fault("hidden_size",
               absl::StrCat(mlp.hidden, " is not a multiple of ", block.heads, " attention heads"));
  }
  return config;
}

}  // namespace terminus::models::nn
