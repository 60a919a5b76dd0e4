#include "models/nn/transformer_config.h"

#include "absl/strings/str_cat.h"

namespace terminus::models::nn {
namespace {

// Names of transformers' ACT2FN; several stand for one function, computed in different ways there.
struct NamedActivation {
  absl::string_view name;
  Activation activation;
};

constexpr NamedActivation kActivations[] = {
    {"gelu", Activation::kGelu},
    {"gelu_accurate", Activation::kGeluTanh},
    {"gelu_fast", Activation::kGeluTanh},
    {"gelu_new", Activation::kGeluTanh},
    {"gelu_python", Activation::kGelu},
    {"gelu_python_tanh", Activation::kGeluTanh},
    {"gelu_pytorch_tanh", Activation::kGeluTanh},
    {"quick_gelu", Activation::kQuickGelu},
    {"relu", Activation::kRelu},
};

}  // namespace

Activation ReadActivation(settings::JsonFile& file, const std::string& otherwise) {
  const std::string name = file.StringOr("hidden_act", otherwise);
  std::string supported;
  for (const NamedActivation& known : kActivations) {
    if (name == known.name) {
      return known.activation;
    }
    absl::StrAppend(&supported, supported.empty() ? "\"" : ", \"", known.name, "\"");
  }
  file.Fault("hidden_act", absl::StrCat("\"", name, "\", supported are ", supported));
  return Activation::kGelu;
}

TransformerConfig ReadTransformerConfig(settings::JsonFile& file,
                                        const TransformerConfig& defaults) {
  TransformerConfig config = defaults;
  BlockConfig& block = config.block;
  MlpConfig& mlp = block.mlp;
  config.layers = static_cast<int>(file.IntOr("num_hidden_layers", 1, 1024, defaults.layers));
  mlp.hidden = static_cast<int>(file.IntOr("hidden_size", 1, 1 << 16, mlp.hidden));
  if (mlp.intermediate != 0) {
    mlp.intermediate =
        static_cast<int>(file.IntOr("intermediate_size", 1, 1 << 20, mlp.intermediate));
  }
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
