#include "models/decoder/cpu_llama.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "models/decoder/cpu_llama_ops.h"
#include "models/decoder/step_check.h"

namespace terminus::models::decoder {
namespace {

int Threads(const LmOptions& options) {
  return options.threads > 0 ? options.threads
                             : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

}  // namespace

CpuLlama::CpuLlama(const LlamaConfig& config, const LmOptions& options, kernels::Isa isa,
                   checkpoint::Weights& weights)
    : config_(RankConfig(config, options.tensor)),
      slice_(options.tensor),
      vocabulary_(SliceVocabulary(config, slice_)),
      vocabulary_part_(VocabularyPart(config, slice_)),
      dtype_(options.dtype == ComputeDType::kBFloat16 ? ComputeDType::kBFloat16
                                                      : ComputeDType::kFloat32),
      first_layer_(options.layers.first),
      rope_frequencies_(RopeFrequencies(config.rope, config.head_dim)),
      weights_(LoadCpuWeights(config, options, isa, weights)),
      kv_(options.layers.last - options.layers.first, options.kv_blocks, config_.kv_heads,
          config_.head_dim),
      exchange_(slice_.size > 1 ? options.tensor_group : nullptr),
      team_(Threads(options)),
      attention_(team_.size(),
                 kernels::PagedAttention(isa, config_.heads, config_.kv_heads, config_.head_dim)) {
  TERMINUS_CHECK(slice_.size == 1 || exchange_.divided());
}

CpuLlama::Step CpuLlama::Prepare(const StepInput& input) {
  const int64_t tokens = static_cast<int64_t>(input.token_ids.size());
  const int64_t rows = static_cast<int64_t>(input.logits_tokens.size());
  Step step{.input = &input, .tokens = tokens};
  const int64_t half = config_.head_dim / 2;
  const int64_t logits = last_stage() ? rows : 0;
  const int64_t part = exchange_.divided() ? logits * vocabulary_part_ : 0;
  const std::pair<float**, int64_t> parts[] = {
      {&step.x, tokens * config_.hidden_size},
      {&step.normed, std::max(tokens, rows) * config_.hidden_size},
      {&step.qkv, tokens * (config_.q_size() + 2 * config_.kv_size())},
      {&step.attended, tokens * config_.q_size()},
      {&step.inner, tokens * config_.intermediate_size},
      {&step.cos, tokens * half},
      {&step.sin, tokens * half},
      {&step.logits, logits * config_.vocab_size},
      {&step.part_logits, part},
      {&step.all_logits, part * slice_.size}};
  int64_t total = 0;
  const auto padded = [](int64_t floats) { return (floats + 15) / 16 * 16; };
  for (const auto& [pointer, floats] : parts) {
    total += padded(floats);
  }
  if (buffer_.size() < static_cast<size_t>(total)) {
    buffer_.resize(total);
  }
  float* next = buffer_.data();
  for (const auto& [pointer, floats] : parts) {
    *pointer = next;
    next += padded(floats);
  }
  pages_.resize(tokens);
  step.pages = pages_.data();
  for (size_t s = 0; s + 1 < input.query_indptr.size(); ++s) {
    const int32_t* table = input.kv.indices.data() + input.kv.indptr[s];
    for (int t = input.query_indptr[s]; t < input.query_indptr[s + 1]; ++t) {
      step.pages[t] = table[input.positions[t] / kKvBlockTokens];
    }
  }
  FindSoftRows(input, step);
  step.units = PlanPagedAttention(AttentionArgs(step, 0));
  return step;
}

void CpuLlama::FindSoftRows(const StepInput& input, Step& step) {
  if (input.soft.empty()) {
    return;
  }
  soft_rows_.assign(input.token_ids.size(), nullptr);
  for (const SoftSpan& span : input.soft) {
    for (int64_t i = 0; i < span.rows; ++i) {
      soft_rows_[span.first_token + i] =
          span.tokens->values.data() + (span.first_row + i) * config_.hidden_size;
    }
  }
  step.soft_rows = soft_rows_.data();
}

kernels::PagedAttentionArgs CpuLlama::AttentionArgs(const Step& step, int layer) const {
  return {.q = step.qkv,
          .q_stride = config_.q_size() + 2 * config_.kv_size(),
          .out = step.attended,
          .kv = kv_.layer(layer),
          .query_indptr = step.input->query_indptr,
          .page_indptr = step.input->kv.indptr,
          .page_indices = step.input->kv.indices,
          .last_page_len = step.input->kv.last_page_len,
          .heads = config_.heads,
          .scale = config_.attention_scale()};
}

absl::Status CpuLlama::Run(const StepInput& input) {
  TERMINUS_RETURN_IF_ERROR(exchange_.status());
  TERMINUS_RETURN_IF_ERROR(CheckStep(input, {.vocab_size = config_.vocab_size,
                                             .max_context = config_.max_positions,
                                             .kv_blocks = kv_.blocks(),
                                             .hidden_size = config_.hidden_size,
                                             .first_stage = first_stage()}));
  const Step step = Prepare(input);
  tokens_ = static_cast<int>(step.tokens);
  hidden_ = step.x;
  logits_ = step.logits;
  team_.Run([&](Member& member) {
    Ops ops(*this, member, step);
    ops.Embed();
    RunLlamaLayers(config_, first_layer_, weights_.layers, ops);
    if (last_stage()) {
      ops.Head();
    }
  });
  return exchange_.status();
}

absl::StatusOr<Logits> CpuLlama::Forward(const StepInput& input) {
  TERMINUS_CHECK(last_stage());
  TERMINUS_RETURN_IF_ERROR(Run(input));
  const size_t rows = input.logits_tokens.size();
  return Logits{.rows = static_cast<int>(rows),
                .vocab_size = config_.vocab_size,
                .values = absl::MakeConstSpan(logits_, rows * config_.vocab_size)};
}

absl::StatusOr<HiddenStates> CpuLlama::ForwardHidden(const StepInput& input) {
  TERMINUS_CHECK(!last_stage());
  TERMINUS_RETURN_IF_ERROR(Run(input));
  return HiddenStates{
      .tokens = tokens_,
      .hidden_size = config_.hidden_size,
      .values = absl::MakeConstSpan(hidden_, static_cast<size_t>(tokens_) * config_.hidden_size)};
}

}  // namespace terminus::models::decoder
