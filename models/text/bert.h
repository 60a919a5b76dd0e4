#pragma once

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "models/nn/activation.h"
#include "models/nn/layer_norm.h"
#include "models/nn/linear.h"
#include "models/text/sentence_config.h"
#include "models/text/text_tower.h"

namespace terminus::models::text {

// The encoder of "BERT: Pre-training of Deep Bidirectional Transformers for Language
// Understanding" (Devlin et al., 2018), as Hugging Face's BertModel writes its config.json.
struct BertConfig {
  int vocab_size = 0;
  int hidden_size = 0;
  int layers = 0;
  int heads = 0;
  int intermediate_size = 0;
  int max_positions = 0;
  int type_vocab_size = 0;
  double layer_norm_eps = 1e-12;
  nn::Activation activation = nn::Activation::kGelu;
};

// Reads the encoder folder's config.json.
absl::StatusOr<TextPlan> ReadBertPlan(const SentenceConfig& sentence);

class Bert : public TextTower {
 public:
  Bert(const BertConfig& config, Pooling pooling, const nn::Loader& loader);

  std::vector<int64_t> Pooled(const PackedTexts& texts) const override;
  at::Tensor Forward(const TextInputs& inputs) const override;
  bool IsCapturable(int longest) const override;

  int dimension() const override { return config_.hidden_size; }
  int vocabulary_size() const override { return config_.vocab_size; }
  int max_tokens() const override { return config_.max_positions; }

 private:
  struct Layer {
    nn::Linear qkv;
    nn::Linear attention_out;
    nn::LayerNorm attention_norm;
    nn::Linear up;
    nn::Linear down;
    nn::LayerNorm norm;
  };

  static Layer LoadLayer(const BertConfig& config, const std::string& prefix,
                         const nn::Loader& loader);

  BertConfig config_;
  Pooling pooling_;
  at::Tensor words_;      // [vocab, hidden]
  at::Tensor positions_;  // [positions, hidden], the first token type's vector added.
  nn::LayerNorm embedding_norm_;
  std::vector<Layer> layers_;
};

}  // namespace terminus::models::text
