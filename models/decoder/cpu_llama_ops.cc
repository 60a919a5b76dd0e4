#include "models/decoder/cpu_llama_ops.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "models/decoder/kv_view.h"
#include "models/kernels/bfloat16.h"
#include "models/kernels/norm/rms_norm.h"
#include "models/kernels/paged/rope.h"

namespace terminus::models::decoder {
namespace {

// Tokens that a thread takes at once where a token is little work.
constexpr int64_t kTokenGrain = 4;

const float* OrNull(const std::vector<float>& bias) { return bias.empty() ? nullptr : bias.data(); }

}  // namespace

void CpuLlama::Ops::ForEach(int64_t count, int64_t grain,
                            absl::FunctionRef<void(int64_t, int64_t)> body) {
  if (!lm_.exchange_.failed()) {
    member_.ForEach(count, grain, body);
  }
}

void CpuLlama::Ops::Multiply(const kernels::PanelGemmArgs& args) {
  ForEach(args.weight->panels(), PanelGrain(args, member_.size()),
          [&](int64_t begin, int64_t end) { PanelGemm(args, begin, end); });
}

void CpuLlama::Ops::Project(const CpuProduct& product, const float* x, float* y) {
  Multiply({.weight = &product.weight,
            .x = x,
            .bias = OrNull(product.bias),
            .y = y,
            .rows = step_.tokens});
}

// The residual stream is one of the numbers that the ranks add up, and rank 0 brings it.
void CpuLlama::Ops::Add(const CpuProduct& product, const float* x) {
  Multiply({.weight = &product.weight,
            .x = x,
            .bias = OrNull(product.bias),
            .y = step_.x,
            .rows = step_.tokens,
            .accumulate = lm_.slice_.rank == 0});
  lm_.exchange_.AllReduceSum(member_, step_.x, step_.tokens * lm_.config_.hidden_size);
}

void CpuLlama::Ops::Embed() {
  const int64_t hidden = lm_.config_.hidden_size;
  const int64_t half = lm_.config_.head_dim / 2;
  const auto factor = static_cast<float>(lm_.config_.rope.attention_factor);
  ForEach(step_.tokens, kTokenGrain, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const float position = static_cast<float>(step_.input->positions[t]);
      for (int64_t i = 0; i < half; ++i) {
        const float angle = position * lm_.rope_frequencies_[i];
        step_.cos[t * half + i] = std::cos(angle) * factor;
        step_.sin[t * half + i] = std::sin(angle) * factor;
      }
      EmbedToken(t, step_.x + t * hidden);
    }
  });
  if (lm_.first_stage()) {
    lm_.exchange_.AllReduceSum(member_, step_.x, step_.tokens * hidden);
  }
}

void CpuLlama::Ops::EmbedToken(int64_t token, float* x) const {
  const int64_t hidden = lm_.config_.hidden_size;
  const auto copy = [&](const float* from) { std::memcpy(x, from, hidden * sizeof(float)); };
  if (!lm_.first_stage()) {
    copy(step_.input->hidden_states.data() + token * hidden);
    return;
  }
  const Range& rows = lm_.vocabulary_;
  const int64_t id = step_.input->token_ids[token];
  const float* const soft = step_.soft_rows == nullptr ? nullptr : step_.soft_rows[token];
  // All ranks have the soft row; rank 0 brings it.
  const bool mine = soft == nullptr ? rows.begin <= id && id < rows.end : lm_.slice_.rank == 0;
  if (!mine) {
    std::fill_n(x, hidden, 0.0f);
    return;
  }
  if (soft != nullptr) {
    copy(soft);
    return;
  }
  const int64_t element = (id - rows.begin) * hidden;
  const at::Tensor& embedding = lm_.weights_.embedding;
  if (embedding.scalar_type() == at::kBFloat16) {
    const auto* from =
        reinterpret_cast<const kernels::BFloat16*>(embedding.const_data_ptr()) + element;
    std::transform(from, from + hidden, x, kernels::ToFloat);
  } else {
    copy(embedding.const_data_ptr<float>() + element);
  }
}

void CpuLlama::Ops::Norm(const VectorNorm& norm) {
  const int64_t hidden = lm_.config_.hidden_size;
  ForEach(step_.tokens, kTokenGrain, [&](int64_t begin, int64_t end) {
    kernels::RmsNorm(step_.x + begin * hidden, norm.data(), lm_.config_.rms_norm_eps, end - begin,
                     hidden, step_.normed + begin * hidden);
  });
}

void CpuLlama::Ops::PrepareHeads(const HeadSteps<VectorNorm>& steps, int layer) {
  const kernels::PagedAttentionArgs args = lm_.AttentionArgs(step_, layer);
  ForEach(step_.tokens, kTokenGrain, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      PrepareToken(steps, args.kv, step_.qkv + t * args.q_stride, t);
    }
  });
}

void CpuLlama::Ops::PrepareToken(const HeadSteps<VectorNorm>& steps, const kernels::KvPages& kv,
                                 float* qkv, int64_t token) const {
  const LlamaConfig& config = lm_.config_;
  const int64_t half = config.head_dim / 2;
  float* keys = qkv + config.q_size();
  if (steps.query_norm != nullptr) {
    kernels::RmsNorm(qkv, steps.query_norm->data(), config.rms_norm_eps, config.heads,
                     config.head_dim, qkv);
    kernels::RmsNorm(keys, steps.key_norm->data(), config.rms_norm_eps, config.kv_heads,
                     config.head_dim, keys);
  }
  if (steps.rope) {
    // Keys follow the queries.
    kernels::RotateHeads(qkv, config.heads + config.kv_heads, config.head_dim,
                         step_.cos + token * half, step_.sin + token * half);
  }
  kernels::WriteKv(kv, keys, keys + config.kv_size(), step_.pages[token],
                   step_.input->positions[token] % kKvBlockTokens);
}

void CpuLlama::Ops::Attend(const LayerAttention& attention, int layer) {
  kernels::PagedAttentionArgs args = lm_.AttentionArgs(step_, layer);
  args.window = attention.window;
  ForEach(static_cast<int64_t>(step_.units.size()), 1, [&](int64_t begin, int64_t) {
    lm_.attention_[member_.index()].Run(args, step_.units[begin]);
  });
}

void CpuLlama::Ops::AddAttended(const CpuProduct& product, const VectorNorm& norm) {
  Add(product, step_.attended);
  Norm(norm);
}

void CpuLlama::Ops::AddInner(const CpuProduct& product, const VectorNorm* next) {
  Add(product, step_.inner);
  if (next != nullptr) {
    Norm(*next);
  }
}

void CpuLlama::Ops::Head() {
  const auto wanted = step_.input->logits_tokens;
  const int64_t hidden = lm_.config_.hidden_size;
  const int64_t rows = static_cast<int64_t>(wanted.size());
  ForEach(rows, kTokenGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      kernels::RmsNorm(step_.x + wanted[i] * hidden, lm_.weights_.final_norm.data(),
                       lm_.config_.rms_norm_eps, 1, hidden, step_.normed + i * hidden);
    }
  });
  const bool divided = lm_.exchange_.divided();
  Multiply({.weight = lm_.weights_.head.get(),
            .x = step_.normed,
            .y = divided ? step_.part_logits : step_.logits,
            .rows = rows});
  if (!divided) {
    return;
  }
  const int64_t part = lm_.vocabulary_part_;
  const int64_t vocab = lm_.config_.vocab_size;
  lm_.exchange_.AllGather(member_, step_.part_logits, rows * part, step_.all_logits);
  ForEach(rows, 1, [&](int64_t row, int64_t) {
    for (int64_t rank = 0; rank < lm_.slice_.size; ++rank) {
      const float* from = step_.all_logits + (rank * rows + row) * part;
      std::copy_n(from, std::min(part, vocab - rank * part),
                  step_.logits + row * vocab + rank * part);
    }
  });
}

}  // namespace terminus::models::decoder
