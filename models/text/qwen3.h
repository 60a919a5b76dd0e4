#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "models/decoder/aten_rope.h"
#include "models/decoder/llama_architecture.h"
#include "models/decoder/llama_config.h"
#include "models/nn/linear.h"
#include "models/nn/rms_norm.h"
#include "models/text/sentence_config.h"
#include "models/text/text_tower.h"

namespace terminus::models::text {

// A sentence-transformers folder over Qwen3's decoder layers. Its modules.json must say how token
// vectors become one.
absl::StatusOr<TextPlan> ReadQwen3Plan(const SentenceConfig& sentence);

// A decoder's layers as a text encoder: "Qwen3 Embedding: Advancing Text Embedding and Reranking
// Through Foundation Models" (Zhang et al., 2025). All tokens of a text at once, so that nothing is
// kept of keys and values.
class Qwen3 : public TextTower {
 public:
  Qwen3(const decoder::LlamaConfig& config, Pooling pooling, const nn::Loader& loader);

  std::vector<int64_t> Pooled(const PackedTexts& texts) const override;
  at::Tensor Forward(const TextInputs& inputs) const override;
  bool IsCapturable(int longest) const override;

  int dimension() const override { return config_.hidden_size; }
  int vocabulary_size() const override { return config_.vocab_size; }
  int max_tokens() const override { return config_.max_positions; }

 private:
  using Layer = decoder::LlamaLayer<nn::RmsNorm, nn::Linear>;

  class Loader;
  // See decoder::LlamaOps. There is no cache.
  class Ops;

  decoder::LlamaConfig config_;
  Pooling pooling_;
  at::Tensor tokens_;  // [vocab, hidden]
  decoder::AtenRope rope_;
  std::vector<Layer> layers_;
  nn::RmsNorm final_norm_;
};

}  // namespace terminus::models::text
