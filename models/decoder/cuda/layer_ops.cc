#include "models/decoder/cuda/layer_ops.h"

#include <algorithm>

namespace terminus::models::decoder::cuda {

void LayerOps::Norm(const NormWeight& norm) {
  const Activations& a = *context_.activations;
  Check(LaunchRmsNorm({.x = a.x.get(),
                       .weight = norm.weight,
                       .rows = nullptr,
                       .out = a.normed.get(),
                       .count = step_.capacity.tokens,
                       .hidden = config_.hidden_size,
                       .eps = config_.rms_norm_eps},
                      stream_),
        "norm");
}

void LayerOps::ProjectQkv(const Linear& linear) {
  const Activations& a = *context_.activations;
  context_.products->Run(linear, a.normed.get(), a.qkv.get(), step_.capacity.tokens,
                         ProductOutput::kBf16, stream_);
}

void LayerOps::PrepareHeads(const HeadSteps<NormWeight>& steps, int layer) {
  const auto weight = [](const NormWeight* norm) {
    return norm == nullptr ? nullptr : norm->weight;
  };
  Check(LaunchHeads({.qkv = context_.activations->qkv.get(),
                     .query_norm = weight(steps.query_norm),
                     .key_norm = weight(steps.key_norm),
                     .angles = steps.rope ? context_.angles : nullptr,
                     .positions = step_.inputs.positions,
                     .kv_rows = step_.inputs.kv_rows,
                     .cache = context_.caches[layer],
                     .tokens = step_.capacity.tokens,
                     .heads = config_.heads,
                     .kv_heads = config_.kv_heads,
                     .head_dim = config_.head_dim,
                     .eps = config_.rms_norm_eps},
                    stream_),
        "rotation");
}

void LayerOps::Attend(const LayerAttention& attention, int layer) {
  if (step_.shape.decodes > 0) {
    Decode(attention, layer);
  }
  if (step_.shape.prefills > 0) {
    Prefill(attention, layer);
  }
}

int64_t LayerOps::WindowIndex(const LayerAttention& attention) const {
  const std::vector<int>& windows = context_.windows;
  return std::find(windows.begin(), windows.end(), attention.window) - windows.begin();
}

void LayerOps::Decode(const LayerAttention& attention, int layer) {
  const int64_t list = WindowIndex(attention);
  const int capacity = step_.item_capacity;
  Check(LaunchDecodeAttention({.qkv = context_.activations->qkv.get(),
                               .out = context_.activations->attended.get(),
                               .cache = context_.caches[layer],
                               .kv_indices = step_.inputs.kv_indices,
                               .items = step_.inputs.items + list * capacity,
                               .item_count = step_.inputs.item_counts + list,
                               .partial_sums = context_.parts->sums.get(),
                               .partial_weights = context_.parts->weights.get(),
                               .arrived = context_.parts->arrived.get(),
                               .max_items = capacity,
                               .heads = config_.heads,
                               .kv_heads = config_.kv_heads,
                               .head_dim = config_.head_dim,
                               .scale = config_.attention_scale()},
                              stream_),
        "decode attention");
}

void LayerOps::Prefill(const LayerAttention& attention, int layer) {
  const Schedule& schedule = step_.schedules[WindowIndex(attention)];
  const int decodes = step_.shape.decodes;
  LaunchPrefillAttention(
      {.heads = config_.heads, .kv_heads = config_.kv_heads, .head_dim = config_.head_dim},
      {.q = context_.activations->qkv.get() + int64_t{decodes} * qkv_width(),
       .q_stride = qkv_width(),
       .out = context_.activations->attended.get() + int64_t{decodes} * config_.q_size(),
       .cache = context_.caches[layer],
       .query_indptr = step_.inputs.query_indptr,
       .kv_indptr = step_.inputs.kv_indptr,
       .kv_indices = step_.inputs.kv_indices,
       .last_page_len = step_.inputs.last_page_len,
       .sequences = step_.shape.prefills,
       .window = attention.window,
       .scale = config_.attention_scale()},
      schedule.schedule, schedule.workspace, stream_);
}

void LayerOps::AddAttended(const Linear& linear, const NormWeight& norm) {
  const Activations& a = *context_.activations;
  context_.products->Run(linear, a.attended.get(), a.x.get(), step_.capacity.tokens,
                         ProductOutput::kAdd, stream_);
  Norm(norm);
}

void LayerOps::ProjectGated(const Linear& linear) {
  const Activations& a = *context_.activations;
  context_.products->Run(linear, a.normed.get(), a.inner.get(), step_.capacity.tokens,
                         ProductOutput::kGated, stream_);
}

void LayerOps::AddInner(const Linear& linear, const NormWeight* next) {
  const Activations& a = *context_.activations;
  context_.products->Run(linear, a.inner.get(), a.x.get(), step_.capacity.tokens,
                         ProductOutput::kAdd, stream_);
  if (next != nullptr) {
    Norm(*next);
  }
}

}  // namespace terminus::models::decoder::cuda
