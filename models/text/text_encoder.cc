#include "models/text/text_encoder.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "models/checkpoint/check.h"
#include "models/checkpoint/weights.h"
#include "models/text/families.h"

namespace terminus::models::text {
namespace {

// Tokens of one pass through the layers. More do not make the products faster, and the hidden
// states of so many still fit into the caches.
constexpr size_t kTokensPerPass = 1024;

// On a CPU each thread takes whole passes, so that threads wait for each other once a batch rather
// than in each product, if as many tokens are left for each: fewer do not pay for the weights,
// which every pass reads.
constexpr size_t kTokensPerThread = 64;
// Passes shared out are shorter: their hidden states fit into a core's own cache, and none is left
// working for long when the others are done.
constexpr size_t kTokensPerSharedPass = 128;

// On a GPU: enough to keep it busy with one pass, few enough that the hidden states fit beside the
// weights. The number of tokens is filled up to a multiple, by tokens of no text, so that the
// products come in few shapes, for each of which the fastest algorithm is tried once.
constexpr size_t kTokensPerGpuPass = 32768;
constexpr size_t kFewTokens = 1024;
constexpr size_t kSmallStep = 64;
constexpr size_t kLargeStep = 256;

size_t FilledUp(size_t tokens) {
  const size_t step = tokens <= kFewTokens ? kSmallStep : kLargeStep;
  return (tokens + step - 1) / step * step;
}

// Texts [begin, end) of a batch.
struct Range {
  size_t begin;
  size_t end;
};

// As many texts at a time as have `per_pass` tokens.
std::vector<Range> CutFull(const executor::TextBatch& batch, size_t per_pass) {
  std::vector<Range> ranges;
  size_t begin = 0;
  while (begin < batch.token_ids.size()) {
    size_t tokens = batch.token_ids[begin].size();
    size_t end = begin + 1;
    while (end < batch.token_ids.size() && tokens + batch.token_ids[end].size() <= per_pass) {
      tokens += batch.token_ids[end++].size();
    }
    ranges.push_back({begin, end});
    begin = end;
  }
  return ranges;
}

// At most `count` ranges of about as many tokens each.
std::vector<Range> CutEvenly(const executor::TextBatch& batch, size_t tokens, size_t count) {
  std::vector<Range> ranges;
  size_t begin = 0;
  size_t before = 0;  // Tokens before text i.
  for (size_t i = 0; i < batch.token_ids.size(); ++i) {
    const size_t length = batch.token_ids[i].size();
    // A text is of the range that its middle falls into.
    const size_t middle = before + length / 2;
    if (i > begin && middle * count >= (ranges.size() + 1) * tokens) {
      ranges.push_back({begin, i});
      begin = i;
    }
    before += length;
  }
  ranges.push_back({begin, batch.token_ids.size()});
  return ranges;
}

}  // namespace

absl::StatusOr<std::unique_ptr<TextEncoder>> TextEncoder::Load(const std::string& folder,
                                                               const nn::Placement& placement) {
  if (placement.fp8) {
    return absl::UnimplementedError("texts are not encoded in FP8");
  }
  TERMINUS_RETURN_IF_ERROR(checkpoint::CheckOnMeta(placement.device, [&](at::Device meta) {
    return Load(folder, {.device = meta, .dtype = placement.dtype}).status();
  }));
  TERMINUS_ASSIGN_OR_RETURN(SentenceConfig sentence_config, ReadSentenceConfig(folder));
  TERMINUS_ASSIGN_OR_RETURN(const TextPlan plan, ReadTextPlan(sentence_config));
  TERMINUS_ASSIGN_OR_RETURN(auto weights, checkpoint::Weights::Open(sentence_config.encoder_folder,
                                                                    placement.device, plan.names));
  std::vector<Dense> dense;
  for (const SentenceStep& step : sentence_config.steps) {
    if (step.kind == SentenceStep::Kind::kDense) {
      TERMINUS_ASSIGN_OR_RETURN(Dense one, Dense::Load(step.dense, placement.device));
      dense.push_back(std::move(one));
    }
  }
  auto encoder = std::unique_ptr<TextEncoder>(
      new TextEncoder(std::move(sentence_config), std::move(dense), plan.dimension,
                      plan.build(nn::Loader(weights, placement.dtype)), placement.device));
  TERMINUS_RETURN_IF_ERROR(weights.Finish());
  return encoder;
}

TextEncoder::TextEncoder(SentenceConfig sentence_config, std::vector<Dense> dense, int dimension,
                         std::unique_ptr<const TextTower> tower, at::Device device)
    : device_(device),
      sentence_config_(std::move(sentence_config)),
      dense_(std::move(dense)),
      dimension_(dimension),
      tower_(std::move(tower)),
      limit_(sentence_config_.Limit(tower_->max_tokens())) {
  if (device_.is_cuda()) {
    graphs_ = std::make_unique<TextGraphs>(
        *tower_, [this](const TextInputs& inputs) { return Vectors(inputs); }, device_);
  }
}

absl::Status TextEncoder::Check(const executor::TextBatch& batch) const {
  for (size_t i = 0; i < batch.token_ids.size(); ++i) {
    const std::vector<int32_t>& ids = batch.token_ids[i];
    if (ids.empty() || ids.size() > static_cast<size_t>(limit_.tokens)) {
      return absl::InvalidArgumentError(absl::StrCat("text ", i, " of the batch has ", ids.size(),
                                                     " tokens, expected 1 to ", limit_.tokens));
    }
    for (const int32_t id : ids) {
      if (id < 0 || id >= vocabulary_size()) {
        return absl::InvalidArgumentError(absl::StrCat("text ", i, " of the batch has token id ",
                                                       id, ", the vocabulary has ",
                                                       vocabulary_size()));
      }
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<executor::Embeddings> TextEncoder::Encode(const executor::TextBatch& batch) {
  const c10::InferenceMode inference;
  TERMINUS_RETURN_IF_ERROR(Check(batch));
  if (const std::optional<Padding> padding = tower_->padding()) {
    executor::TextBatch padded = batch;
    for (std::vector<int32_t>& ids : padded.token_ids) {
      ids.resize(padding->length, padding->token_id);
    }
    return EncodeChecked(padded);
  }
  return EncodeChecked(batch);
}

executor::Embeddings TextEncoder::EncodeChecked(const executor::TextBatch& batch) {
  executor::Embeddings out{.count = static_cast<int>(batch.token_ids.size()),
                           .dimension = dimension()};
  out.values.resize(batch.token_ids.size() * out.dimension);
  const auto encode = [&](const Range& range) {
    EncodeRange(batch, range.begin, range.end, out.values.data() + range.begin * out.dimension);
  };
  const size_t threads = device_.is_cpu() ? at::get_num_threads() : 1;
  size_t tokens = 0;
  size_t longest = 0;
  for (const std::vector<int32_t>& ids : batch.token_ids) {
    tokens += ids.size();
    longest = std::max(longest, ids.size());
  }
  // One long text would keep one thread working while the others wait.
  if (threads == 1 || tokens < threads * std::max(kTokensPerThread, 2 * longest)) {
    for (const Range& range :
         CutFull(batch, device_.is_cpu() ? kTokensPerPass : kTokensPerGpuPass)) {
      encode(range);
    }
    return out;
  }
  // As many for each thread.
  const size_t passes =
      (tokens + kTokensPerSharedPass * threads - 1) / (kTokensPerSharedPass * threads) * threads;
  const std::vector<Range> ranges = CutEvenly(batch, tokens, passes);
  // Each thread takes the next range when it is done with one: cores are not equally fast.
  std::atomic<size_t> next = 0;
  at::parallel_for(0, static_cast<int64_t>(threads), 1, [&](int64_t, int64_t) {
    const c10::InferenceMode inference;
    for (size_t i = next++; i < ranges.size(); i = next++) {
      encode(ranges[i]);
    }
  });
  return out;
}

void TextEncoder::EncodeRange(const executor::TextBatch& batch, size_t begin, size_t end,
                              float* out) {
  const at::Tensor vectors = Forward(batch, begin, end);
  at::from_blob(out, vectors.sizes(), at::kFloat).copy_(vectors);
}

at::Tensor TextEncoder::Forward(const executor::TextBatch& batch, size_t begin, size_t end) {
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
  texts.pooled = tower_->Pooled(texts);
  if (graphs_ != nullptr) {
    texts.ids.resize(FilledUp(texts.ids.size()), 0);
    texts.positions.resize(texts.ids.size(), 0);
    if (std::optional<at::Tensor> vectors = graphs_->Run(texts)) {
      return *std::move(vectors);
    }
  }
  return Vectors(ToDevice(texts, device_));
}

at::Tensor TextEncoder::Vectors(const TextInputs& inputs) const {
  at::Tensor vectors = tower_->Forward(inputs).to(at::kFloat);
  size_t dense = 0;
  for (const SentenceStep& step : sentence_config_.steps) {
    if (step.kind == SentenceStep::Kind::kDense) {
      vectors = dense_[dense++].Forward(vectors);
    } else {
      vectors.div_(vectors.norm(2, {1}, /*keepdim=*/true).clamp_min_(1e-12));
    }
  }
  return vectors;
}

}  // namespace terminus::models::text
