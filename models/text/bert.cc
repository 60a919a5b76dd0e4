#include "models/text/bert.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "models/checkpoint/json_file.h"
#include "models/nn/attention.h"

namespace terminus::models::text {
namespace {

// Checkpoints of a bare BertModel name tensors "encoder.…", those of a task model "bert.encoder.…".
std::string Prefix(const checkpoint::Weights& weights) {
  return weights.Has("bert.embeddings.word_embeddings.weight") ? "bert." : "";
}

nn::LayerNorm LoadNorm(const std::string& name, const BertConfig& config,
                       checkpoint::Weights& weights) {
  return {.weight = weights.Get(name + ".weight", {config.hidden_size}).clone(),
          .bias = weights.Get(name + ".bias", {config.hidden_size}).clone(),
          .eps = config.layer_norm_eps};
}

nn::Linear LoadLinear(const std::string& name, int in, int out, checkpoint::Weights& weights) {
  return nn::Linear(weights.Get(name + ".weight", {out, in}), weights.Get(name + ".bias", {out}));
}

at::Tensor ToDevice(const std::vector<int64_t>& values, const at::Tensor& like) {
  return at::from_blob(const_cast<int64_t*>(values.data()), {static_cast<int64_t>(values.size())},
                       at::kLong)
      .to(like.device());
}

}  // namespace

absl::StatusOr<BertConfig> ReadBertConfig(const std::string& folder) {
  TERMINUS_ASSIGN_OR_RETURN(auto file,
                            checkpoint::JsonFile::Read(absl::StrCat(folder, "/config.json")));
  const std::string type = file.StringOr("model_type", "");
  if (type != "bert") {
    file.Fault("model_type", absl::StrCat("\"", type, "\", supported for text is \"bert\""));
    return file.status();
  }
  BertConfig config;
  config.vocab_size = static_cast<int>(file.Int("vocab_size", 1, 1 << 24));
  config.hidden_size = static_cast<int>(file.Int("hidden_size", 1, 1 << 16));
  config.layers = static_cast<int>(file.Int("num_hidden_layers", 1, 1024));
  config.heads = static_cast<int>(file.Int("num_attention_heads", 1, 1 << 16));
  config.intermediate_size = static_cast<int>(file.Int("intermediate_size", 1, 1 << 20));
  config.max_positions = static_cast<int>(file.Int("max_position_embeddings", 1, 1 << 20));
  config.type_vocab_size = static_cast<int>(file.IntOr("type_vocab_size", 1, 1 << 16, 2));
  config.layer_norm_eps = file.NumberOr("layer_norm_eps", 1e-12);
  if (config.hidden_size % config.heads != 0) {
    file.Fault("hidden_size", absl::StrCat(config.hidden_size, " is not a multiple of ",
                                           config.heads, " attention heads"));
  }
  const std::string positions = file.StringOr("position_embedding_type", "absolute");
  if (positions != "absolute") {
    file.Fault("position_embedding_type",
               absl::StrCat("\"", positions, "\", supported is \"absolute\""));
  }
  const std::string activation = file.StringOr("hidden_act", "gelu");
  if (activation == "gelu") {
    config.activation = nn::Activation::kGelu;
  } else if (activation == "gelu_new" || activation == "gelu_pytorch_tanh") {
    config.activation = nn::Activation::kGeluTanh;
  } else if (activation == "relu") {
    config.activation = nn::Activation::kRelu;
  } else {
    file.Fault("hidden_act", absl::StrCat("\"", activation,
                                          "\", supported are \"gelu\", \"gelu_new\", "
                                          "\"gelu_pytorch_tanh\" and \"relu\""));
  }
  TERMINUS_RETURN_IF_ERROR(file.status());
  return config;
}

Bert::Bert(const BertConfig& config, checkpoint::Weights& weights) : config_(config) {
  const std::string prefix = Prefix(weights);
  const std::string embeddings = prefix + "embeddings.";
  words_ =
      weights.Get(embeddings + "word_embeddings.weight", {config.vocab_size, config.hidden_size});
  const at::Tensor types = weights.Get(embeddings + "token_type_embeddings.weight",
                                       {config.type_vocab_size, config.hidden_size});
  // All tokens are of the first type.
  positions_ = weights.Get(embeddings + "position_embeddings.weight",
                           {config.max_positions, config.hidden_size}) +
               types[0];
  embedding_norm_ = LoadNorm(embeddings + "LayerNorm", config, weights);
  for (int i = 0; i < config.layers; ++i) {
    layers_.push_back(LoadLayer(config, absl::StrCat(prefix, "encoder.layer.", i, "."), weights));
  }
}

Bert::Layer Bert::LoadLayer(const BertConfig& config, const std::string& prefix,
                            checkpoint::Weights& weights) {
  const int hidden = config.hidden_size;
  // Queries, keys and values in one product.
  std::vector<at::Tensor> weight;
  std::vector<at::Tensor> bias;
  for (const char* part : {"query", "key", "value"}) {
    const std::string name = absl::StrCat(prefix, "attention.self.", part);
    weight.push_back(weights.Get(name + ".weight", {hidden, hidden}));
    bias.push_back(weights.Get(name + ".bias", {hidden}));
  }
  return {
      .qkv = nn::Linear(at::cat(weight), at::cat(bias)),
      .attention_out = LoadLinear(prefix + "attention.output.dense", hidden, hidden, weights),
      .attention_norm = LoadNorm(prefix + "attention.output.LayerNorm", config, weights),
      .up = LoadLinear(prefix + "intermediate.dense", hidden, config.intermediate_size, weights),
      .down = LoadLinear(prefix + "output.dense", config.intermediate_size, hidden, weights),
      .norm = LoadNorm(prefix + "output.LayerNorm", config, weights),
  };
}

at::Tensor Bert::Forward(const PackedTexts& texts) const {
  at::Tensor x = at::index_select(words_, 0, ToDevice(texts.ids, words_));
  x.add_(at::index_select(positions_, 0, ToDevice(texts.positions, positions_)));
  x = embedding_norm_.Forward(x);
  for (const Layer& layer : layers_) {
    const at::Tensor qkv = layer.qkv.Forward(x);
    const at::Tensor attended = nn::PackedSelfAttention(qkv, texts.offsets, config_.heads);
    x = layer.attention_norm.Forward(layer.attention_out.ForwardAdd(attended, x));
    const at::Tensor inner = layer.up.Forward(x, config_.activation);
    x = layer.norm.Forward(layer.down.ForwardAdd(inner, x));
  }
  return x;
}

}  // namespace terminus::models::text
