#include "models/text/contrastive_text.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "models/nn/attention.h"

namespace terminus::models::text {

namespace {

// In front of the whole model's tensors, and of the tower's, in some checkpoints twice.
constexpr absl::string_view kPrefixes[] = {"clip.", "siglip.", "text_model.", "text_model."};

}  // namespace

const weights::TensorNames kContrastiveTextNames = {.prefixes = kPrefixes};

ContrastiveText::ContrastiveText(const ContrastiveTextConfig& config, const nn::Loader& loader)
    : config_(config),
      tokens_(loader.GetTable("embeddings.token_embedding.weight",
                              {config.vocab_size, config.transformer.hidden()})),
      positions_(loader.Get("embeddings.position_embedding.weight",
                            {config.max_positions, config.transformer.hidden()})),
      final_norm_(loader.GetNorm("final_layer_norm", config.transformer.hidden(),
                                 config.transformer.block.layer_norm_eps)),
      head_(loader.GetLinear(config.head, config.transformer.hidden(), config.dimension,
                             config.head_bias)) {
  for (int i = 0; i < config.transformer.layers; ++i) {
    blocks_.emplace_back(config.transformer.block, nn::kClipBlockNames,
                         absl::StrCat("encoder.layers.", i, "."), loader);
  }
}

int64_t ContrastiveText::PooledOf(const PackedTexts& texts, int32_t begin, int32_t end) const {
  const auto first = texts.ids.begin() + begin;
  const auto last = texts.ids.begin() + end;
  switch (config_.pooling) {
    case TokenPooling::kHighestId:
      return std::max_element(first, last) - texts.ids.begin();
    case TokenPooling::kEos: {
      const auto eos = std::find(first, last, config_.eos_token_id);
      return (eos == last ? first : eos) - texts.ids.begin();
    }
    case TokenPooling::kLast:
      break;
  }
  return end - 1;
}

std::vector<int64_t> ContrastiveText::Pooled(const PackedTexts& texts) const {
  std::vector<int64_t> pooled;
  for (size_t i = 0; i + 1 < texts.offsets.size(); ++i) {
    pooled.push_back(PooledOf(texts, texts.offsets[i], texts.offsets[i + 1]));
  }
  return pooled;
}

bool ContrastiveText::IsCapturable(int longest) const {
  const nn::BlockConfig& block = config_.transformer.block;
  return nn::AttentionIsCapturable(tokens_, block.mlp.hidden / block.heads, longest);
}

at::Tensor ContrastiveText::Forward(const TextInputs& inputs) const {
  at::Tensor x = at::index_select(tokens_, 0, inputs.ids);
  x.add_(at::index_select(positions_, 0, inputs.positions));
  for (size_t i = 0; i + 1 < blocks_.size(); ++i) {
    x = blocks_[i].Forward(x, inputs.sequences);
  }
  return head_.Forward(
      final_norm_.Forward(blocks_.back().ForwardRows(x, inputs.sequences, inputs.pooled)));
}

}  // namespace terminus::models::text
