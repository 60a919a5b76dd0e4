#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "models/checkpoint/weights.h"
#include "models/nn/activation.h"
#include "models/nn/layer_norm.h"
#include "models/nn/linear.h"

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

// Reads FOLDER/config.json. INVALID_ARGUMENT says what is supported when the model is another.
absl::StatusOr<BertConfig> ReadBertConfig(const std::string& folder);

// Token ids of several texts, one behind the other.
struct PackedTexts {
  std::vector<int64_t> ids;        // [tokens]
  std::vector<int64_t> positions;  // [tokens]: place of each token in its text.
  std::vector<int32_t> offsets;    // [texts + 1]: first token of each text, then their number.
};

class Bert {
 public:
  // Asks `weights` for each tensor; the caller looks at its status afterwards.
  Bert(const BertConfig& config, checkpoint::Weights& weights);

  // → hidden states of the last layer, [tokens, hidden].
  at::Tensor Forward(const PackedTexts& texts) const;

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
                         checkpoint::Weights& weights);

  BertConfig config_;
  at::Tensor words_;      // [vocab, hidden]
  at::Tensor positions_;  // [positions, hidden], the first token type's vector added.
  nn::LayerNorm embedding_norm_;
  std::vector<Layer> layers_;
};

}  // namespace terminus::models::text
