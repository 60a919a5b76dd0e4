#include "models/text/bert.h"

#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "models/nn/attention.h"
#include "models/nn/transformer_config.h"
#include "models/settings/text_config.h"
#include "models/text/pooling.h"

namespace terminus::models::text {
namespace {

// Checkpoints of a task's model have it.
constexpr absl::string_view kPrefixes[] = {"bert."};

// What BertConfig has in transformers where the file has no such key.
constexpr int kVocabSize = 30522;
constexpr int kMaxPositions = 512;
constexpr int kTypes = 2;

// A plain folder of a causal language model is pooled by the last token in sentence-transformers.
void CheckPlainPooling(settings::JsonFile& file) {
  const nlohmann::json* classes = file.Find("architectures");
  if (classes != nullptr && classes->is_array() && !classes->empty() &&
      classes->front().is_string() &&
      absl::EndsWith(classes->front().get<std::string>(), "ForCausalLM")) {
    file.Fault("architectures", absl::StrCat(classes->front().dump(),
                                             " needs a modules.json that says how to pool"));
  }
}

absl::StatusOr<BertConfig> ReadBertConfig(const SentenceConfig& sentence) {
  TERMINUS_ASSIGN_OR_RETURN(
      auto file, settings::JsonFile::Read(absl::StrCat(sentence.encoder_folder, "/config.json"),
                                          &settings::kBertConfig));
  const nn::TransformerConfig layers = nn::ReadTransformerConfig(
      file,
      {.layers = 12,
       .block = {
           .heads = 12, .layer_norm_eps = 1e-12, .mlp = {.hidden = 768, .intermediate = 3072}}});
  BertConfig config;
  config.vocab_size = static_cast<int>(file.IntOr("vocab_size", 1, 1 << 24, kVocabSize));
  config.hidden_size = layers.hidden();
  config.layers = layers.layers;
  config.heads = layers.block.heads;
  config.intermediate_size = layers.block.mlp.intermediate;
  config.max_positions =
      static_cast<int>(file.IntOr("max_position_embeddings", 1, 1 << 20, kMaxPositions));
  config.type_vocab_size = static_cast<int>(file.IntOr("type_vocab_size", 1, 1 << 16, kTypes));
  config.layer_norm_eps = layers.block.layer_norm_eps;
  if (!sentence.has_pooling) {
    CheckPlainPooling(file);
  }
  config.activation = nn::ReadActivation(file, "gelu");
  TERMINUS_RETURN_IF_ERROR(file.status());
  return config;
}

}  // namespace

absl::StatusOr<TextPlan> ReadBertPlan(const SentenceConfig& sentence) {
  TERMINUS_ASSIGN_OR_RETURN(const BertConfig config, ReadBertConfig(sentence));
  return TextPlan{.dimension = config.hidden_size,
                  .plain_sentences = true,
                  .names = {.prefixes = kPrefixes},
                  .build = [config, pooling = sentence.pooling](const nn::Loader& loader) {
                    return std::make_unique<Bert>(config, pooling, loader);
                  }};
}

Bert::Bert(const BertConfig& config, Pooling pooling, const nn::Loader& loader)
    : config_(config), pooling_(pooling) {
  const std::string embeddings = "embeddings.";
  words_ = loader.GetTable(embeddings + "word_embeddings.weight",
                           {config.vocab_size, config.hidden_size});
  const at::Tensor types = loader.GetFloat(embeddings + "token_type_embeddings.weight",
                                           {config.type_vocab_size, config.hidden_size});
  // All tokens are of the first type.
  positions_ = (loader.GetFloat(embeddings + "position_embeddings.weight",
                                {config.max_positions, config.hidden_size}) +
                types[0])
                   .to(loader.dtype());
  embedding_norm_ =
      loader.GetNorm(embeddings + "LayerNorm", config.hidden_size, config.layer_norm_eps);
  for (int i = 0; i < config.layers; ++i) {
    layers_.push_back(LoadLayer(config, absl::StrCat("encoder.layer.", i, "."), loader));
  }
}

Bert::Layer Bert::LoadLayer(const BertConfig& config, const std::string& prefix,
                            const nn::Loader& loader) {
  const int hidden = config.hidden_size;
  const int inner = config.intermediate_size;
  const std::string self = prefix + "attention.self.";
  const double eps = config.layer_norm_eps;
  return {
      .qkv = loader.GetJoined(
          {{self + "query", hidden}, {self + "key", hidden}, {self + "value", hidden}}, hidden),
      .attention_out = loader.GetLinear(prefix + "attention.output.dense", hidden, hidden),
      .attention_norm = loader.GetNorm(prefix + "attention.output.LayerNorm", hidden, eps),
      .up = loader.GetLinear(prefix + "intermediate.dense", hidden, inner),
      .down = loader.GetLinear(prefix + "output.dense", inner, hidden),
      .norm = loader.GetNorm(prefix + "output.LayerNorm", hidden, eps),
  };
}

std::vector<int64_t> Bert::Pooled(const PackedTexts& texts) const {
  return PooledTokens(texts.offsets, pooling_);
}

bool Bert::IsCapturable(int longest) const {
  return nn::AttentionIsCapturable(words_, config_.hidden_size / config_.heads, longest);
}

at::Tensor Bert::Forward(const TextInputs& inputs) const {
  at::Tensor x = at::index_select(words_, 0, inputs.ids);
  x.add_(at::index_select(positions_, 0, inputs.positions));
  x = embedding_norm_.Forward(x);
  for (const Layer& layer : layers_) {
    const at::Tensor qkv = layer.qkv.Forward(x);
    const at::Tensor attended = nn::PackedSelfAttention(qkv, inputs.sequences, config_.heads);
    x = layer.attention_norm.Forward(layer.attention_out.ForwardAdd(attended, x));
    const at::Tensor inner = layer.up.Forward(x, config_.activation);
    x = layer.norm.Forward(layer.down.ForwardAdd(inner, x));
  }
  return Pool(x, inputs);
}

}  // namespace terminus::models::text
