#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/nn/transformer_config.h"
#include "models/text/text_tower.h"

namespace terminus::models::text {

// Which token's hidden state becomes the text's vector.
enum class TokenPooling {
  kHighestId,  // The first of those with the highest id, as CLIP's end of text has.
  kEos,        // The first with eos_token_id, or the text's first if there is none.
  kLast,       // The last, be it padding.
};

// The text towers of "Learning Transferable Visual Models From Natural Language Supervision"
// (Radford et al., 2021: CLIP) and "Sigmoid Loss for Language Image Pre-Training" (Zhai et al.,
// 2023: SigLIP), as transformers' CLIPModel and SiglipModel have them.
struct ContrastiveTextConfig {
  int vocab_size = 0;
  int max_positions = 0;
  nn::TransformerConfig transformer;
  TokenPooling pooling = TokenPooling::kLast;
  int32_t eos_token_id = 0;
  std::optional<Padding> padding;
  // The linear map behind the pooled state: its tensors' name, whether it has a bias, and the
  // number of its outputs.
  std::string head;
  bool head_bias = false;
  int dimension = 0;
};

// How checkpoints write the names of either's tensors.
extern const weights::TensorNames kContrastiveTextNames;

class ContrastiveText : public TextTower {
 public:
  ContrastiveText(const ContrastiveTextConfig& config, const nn::Loader& loader);

  std::vector<int64_t> Pooled(const PackedTexts& texts) const override;
  at::Tensor Forward(const TextInputs& inputs) const override;
  bool IsCapturable(int longest) const override;

  int dimension() const override { return config_.dimension; }
  int vocabulary_size() const override { return config_.vocab_size; }
  int max_tokens() const override {
    return config_.padding ? config_.padding->length : config_.max_positions;
  }
  std::optional<Padding> padding() const override { return config_.padding; }

 private:
  // Index of the token of texts.ids [begin, end) that stands for them.
  int64_t PooledOf(const PackedTexts& texts, int32_t begin, int32_t end) const;

  ContrastiveTextConfig config_;
  at::Tensor tokens_;     // [vocab, hidden]
  at::Tensor positions_;  // [positions, hidden]
  std::vector<nn::TransformerBlock> blocks_;
  nn::LayerNorm final_norm_;
  nn::Linear head_;
};

}  // namespace terminus::models::text
