#include "models/text/text_encoder.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace terminus::models::text {
namespace {

// Tokens of one pass through the layers. More do not make the products faster, and the hidden
// states of so many still fit into the caches.
constexpr size_t kTokensPerPass = 1024;

}  // namespace

absl::StatusOr<std::unique_ptr<TextEncoder>> TextEncoder::Load(const std::string& folder,
                                                               at::Device device) {
  TERMINUS_ASSIGN_OR_RETURN(SentenceConfig sentence_config, ReadSentenceConfig(folder));
  const std::string encoder_folder = sentence_config.encoder_folder;
  TERMINUS_ASSIGN_OR_RETURN(const BertConfig bert_config, ReadBertConfig(encoder_folder));
  TERMINUS_ASSIGN_OR_RETURN(auto weights, checkpoint::Weights::Open(encoder_folder, device));
  auto encoder = std::unique_ptr<TextEncoder>(
      new TextEncoder(std::move(sentence_config), bert_config, weights));
  TERMINUS_RETURN_IF_ERROR(weights.Finish());
  return encoder;
}

TextEncoder::TextEncoder(SentenceConfig sentence_config, const BertConfig& bert_config,
                         checkpoint::Weights& weights)
    : sentence_config_(std::move(sentence_config)),
      bert_config_(bert_config),
      max_tokens_(sentence_config_.max_tokens == 0
                      ? bert_config.max_positions
                      : std::min(sentence_config_.max_tokens, bert_config.max_positions)),
      bert_(bert_config, weights) {}

absl::Status TextEncoder::Check(const executor::TextBatch& batch) const {
  for (size_t i = 0; i < batch.token_ids.size(); ++i) {
    const std::vector<int32_t>& ids = batch.token_ids[i];
    if (ids.empty() || ids.size() > static_cast<size_t>(max_tokens_)) {
      return absl::InvalidArgumentError(absl::StrCat("text ", i, " of the batch has ", ids.size(),
                                                     " tokens, expected 1 to ", max_tokens_));
    }
    for (const int32_t id : ids) {
      if (id < 0 || id >= bert_config_.vocab_size) {
        return absl::InvalidArgumentError(absl::StrCat("text ", i, " of the batch has token id ",
                                                       id, ", the vocabulary has ",
                                                       bert_config_.vocab_size));
      }
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<executor::Embeddings> TextEncoder::Encode(const executor::TextBatch& batch) {
  const c10::InferenceMode inference;
  TERMINUS_RETURN_IF_ERROR(Check(batch));
  executor::Embeddings out{.count = static_cast<int>(batch.token_ids.size()),
                           .dimension = dimension()};
  out.values.resize(batch.token_ids.size() * out.dimension);
  size_t begin = 0;
  while (begin < batch.token_ids.size()) {
    size_t tokens = batch.token_ids[begin].size();
    size_t end = begin + 1;
    while (end < batch.token_ids.size() && tokens + batch.token_ids[end].size() <= kTokensPerPass) {
      tokens += batch.token_ids[end++].size();
    }
    EncodeRange(batch, begin, end, out.values.data() + begin * out.dimension);
    begin = end;
  }
  return out;
}

void TextEncoder::EncodeRange(const executor::TextBatch& batch, size_t begin, size_t end,
                              float* out) const {
  PackedTexts texts;
  texts.offsets.push_back(0);
  for (size_t i = begin; i < end; ++i) {
    const std::vector<int32_t>& ids = batch.token_ids[i];
    texts.ids.insert(texts.ids.end(), ids.begin(), ids.end());
    for (size_t position = 0; position < ids.size(); ++position) {
      texts.positions.push_back(static_cast<int64_t>(position));
    }
    texts.offsets.push_back(static_cast<int32_t>(texts.ids.size()));
  }
  const at::Tensor hidden = bert_.Forward(texts);  // [tokens, hidden]
  const int64_t count = static_cast<int64_t>(end - begin);
  at::Tensor pooled = at::empty({count, hidden.size(1)}, hidden.options());
  for (int64_t i = 0; i < count; ++i) {
    at::Tensor row = pooled[i];
    if (sentence_config_.pooling == Pooling::kCls) {
      row.copy_(hidden[texts.offsets[i]]);
    } else {
      at::mean_out(row, hidden.slice(0, texts.offsets[i], texts.offsets[i + 1]), 0);
    }
  }
  if (sentence_config_.normalize) {
    pooled.div_(pooled.norm(2, {1}, /*keepdim=*/true).clamp_min_(1e-12));
  }
  at::from_blob(out, pooled.sizes(), at::kFloat).copy_(pooled);
}

}  // namespace terminus::models::text
