#include "models/decoder/cpu_llama.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "models/decoder/llama_tensors.h"
#include "models/decoder/step_check.h"
#include "models/kernels/norm/rms_norm.h"
#include "models/kernels/paged/rope.h"

namespace terminus::models::decoder {
namespace {

using kernels::PanelGemm;
using kernels::PanelGemmArgs;
using kernels::PanelWeight;
using kernels::WeightType;

// Tokens that a thread takes at once where a token is little work.
constexpr int64_t kTokenGrain = 4;

template <class T>
absl::Span<const T> SpanOf(const at::Tensor& tensor) {
  return {reinterpret_cast<const T*>(tensor.const_data_ptr()), static_cast<size_t>(tensor.numel())};
}

// Rows of `tensor` behind `row`; its dtype decides.
void Place(const at::Tensor& tensor, int64_t row, int which, PanelWeight* weight) {
  if (tensor.scalar_type() == at::kBFloat16) {
    weight->SetRows(SpanOf<kernels::BFloat16>(tensor), row, which);
  } else {
    weight->SetRows(SpanOf<float>(tensor.to(at::kFloat)), row, which);
  }
}

std::vector<float> ToVector(const at::Tensor& tensor) {
  const auto values = SpanOf<float>(tensor);
  return {values.begin(), values.end()};
}

// The biases of several matrices one behind the other; empty if the model has none.
std::vector<float> LoadBias(bool wanted, const std::vector<std::pair<std::string, int>>& names,
                            checkpoint::Weights& weights) {
  std::vector<float> bias;
  if (wanted) {
    for (const auto& [name, size] : names) {
      const std::vector<float> part = ToVector(weights.Get(name + ".bias", {size}));
      bias.insert(bias.end(), part.begin(), part.end());
    }
  }
  return bias;
}

const float* OrNull(const std::vector<float>& bias) { return bias.empty() ? nullptr : bias.data(); }

// A whole product, shared out over the team.
void Multiply(kernels::ThreadTeam::Member& member, const PanelGemmArgs& args) {
  member.ForEach(args.weight->panels(), PanelGrain(args, member.size()),
                 [&](int64_t begin, int64_t end) { PanelGemm(args, begin, end); });
}

WeightType TypeFor(ComputeDType dtype) {
  return dtype == ComputeDType::kBFloat16 ? WeightType::kBFloat16 : WeightType::kFloat32;
}

int Threads(const LmOptions& options) {
  return options.threads > 0 ? options.threads
                             : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

}  // namespace

CpuLlama::CpuLlama(const LlamaConfig& config, const LmOptions& options, kernels::Isa isa,
                   checkpoint::Weights& weights)
    : config_(config),
      isa_(isa),
      dtype_(options.dtype),
      arena_(std::make_shared<kernels::PanelArena>()),
      first_layer_(options.layers.first),
      rope_frequencies_(RopeFrequencies(config.rope, config.head_dim)),
      kv_(options.layers.last - options.layers.first, options.kv_blocks, config.kv_heads,
          config.head_dim),
      team_(Threads(options)),
      attention_(team_.size(),
                 kernels::PagedAttention(isa, config.heads, config.kv_heads, config.head_dim)) {
  for (int i = options.layers.first; i < options.layers.last; ++i) {
    layers_.push_back(LoadLayer(i, weights));
  }
  const LlamaTables tables = FindTables(config, weights);
  if (first_stage()) {
    embedding_ = weights.GetAsStored(tables.embedding, {config.vocab_size, config.hidden_size});
    if (embedding_.scalar_type() != at::kBFloat16) {
      embedding_ = embedding_.to(at::kFloat);
    }
  }
  if (last_stage()) {
    final_norm_ = ToVector(weights.Get("norm.weight", {config.hidden_size}));
    head_ = std::make_unique<PanelWeight>(
        LoadMatrix(tables.head, config.hidden_size, config.vocab_size, weights));
  }
}

PanelWeight CpuLlama::LoadMatrix(const std::string& name, int64_t in, int64_t out,
                                 checkpoint::Weights& weights) const {
  PanelWeight weight(isa_, TypeFor(dtype_), in, out, /*paired=*/false, arena_);
  Place(weights.GetAsStored(name, {out, in}), 0, 0, &weight);
  return weight;
}

CpuLlama::Layer CpuLlama::LoadLayer(int index, checkpoint::Weights& weights) const {
  const std::string layer = absl::StrCat("layers.", index, ".");
  const std::string attention = layer + "self_attn.";
  const std::string mlp = layer + "mlp.";
  const int hidden = config_.hidden_size;
  const int q = config_.q_size();
  const int kv = config_.kv_size();
  const int inner = config_.intermediate_size;
  PanelWeight qkv(isa_, TypeFor(dtype_), hidden, q + 2 * kv, /*paired=*/false, arena_);
  Place(weights.GetAsStored(attention + "q_proj.weight", {q, hidden}), 0, 0, &qkv);
  Place(weights.GetAsStored(attention + "k_proj.weight", {kv, hidden}), q, 0, &qkv);
  Place(weights.GetAsStored(attention + "v_proj.weight", {kv, hidden}), q + kv, 0, &qkv);
  PanelWeight gate_up(isa_, TypeFor(dtype_), hidden, inner, /*paired=*/true, arena_);
  Place(weights.GetAsStored(mlp + "gate_proj.weight", {inner, hidden}), 0, 0, &gate_up);
  Place(weights.GetAsStored(mlp + "up_proj.weight", {inner, hidden}), 0, 1, &gate_up);
  return {
      .attention_norm = ToVector(weights.Get(layer + "input_layernorm.weight", {hidden})),
      .qkv = std::move(qkv),
      .qkv_bias = LoadBias(
          config_.qkv_bias,
          {{attention + "q_proj", q}, {attention + "k_proj", kv}, {attention + "v_proj", kv}},
          weights),
      .attention_out = LoadMatrix(attention + "o_proj.weight", q, hidden, weights),
      .attention_out_bias =
          LoadBias(config_.output_bias, {{attention + "o_proj", hidden}}, weights),
      .mlp_norm = ToVector(weights.Get(layer + "post_attention_layernorm.weight", {hidden})),
      .gate_up = std::move(gate_up),
      .gate_up_bias = LoadBias(config_.mlp_bias,
                               {{mlp + "gate_proj", inner}, {mlp + "up_proj", inner}}, weights),
      .down = LoadMatrix(mlp + "down_proj.weight", inner, hidden, weights),
      .down_bias = LoadBias(config_.mlp_bias, {{mlp + "down_proj", hidden}}, weights),
  };
}

CpuLlama::Step CpuLlama::Prepare(const StepInput& input) {
  const int64_t tokens = static_cast<int64_t>(input.token_ids.size());
  const int64_t rows = static_cast<int64_t>(input.logits_tokens.size());
  Step step{.input = &input, .tokens = tokens};
  const int64_t half = config_.head_dim / 2;
  const std::pair<float**, int64_t> parts[] = {
      {&step.x, tokens * config_.hidden_size},
      {&step.normed, std::max(tokens, rows) * config_.hidden_size},
      {&step.qkv, tokens * (config_.q_size() + 2 * config_.kv_size())},
      {&step.attended, tokens * config_.q_size()},
      {&step.inner, tokens * config_.intermediate_size},
      {&step.cos, tokens * half},
      {&step.sin, tokens * half},
      {&step.logits, last_stage() ? rows * config_.vocab_size : 0}};
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
  step.units = PlanPagedAttention(AttentionArgs(step, 0));
  return step;
}

kernels::PagedAttentionArgs CpuLlama::AttentionArgs(const Step& step, size_t layer) const {
  return {.q = step.qkv,
          .q_stride = config_.q_size() + 2 * config_.kv_size(),
          .out = step.attended,
          .kv = kv_.layer(static_cast<int64_t>(layer)),
          .query_indptr = step.input->query_indptr,
          .page_indptr = step.input->kv.indptr,
          .page_indices = step.input->kv.indices,
          .last_page_len = step.input->kv.last_page_len,
          .heads = config_.heads,
          .scale = 1 / std::sqrt(static_cast<float>(config_.head_dim))};
}

// Also the angles, which all layers share.
void CpuLlama::Embed(Member& member, const Step& step) const {
  const int64_t hidden = config_.hidden_size;
  const int64_t half = config_.head_dim / 2;
  member.ForEach(step.tokens, kTokenGrain, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const float position = static_cast<float>(step.input->positions[t]);
      for (int64_t i = 0; i < half; ++i) {
        const float angle = position * rope_frequencies_[i];
        step.cos[t * half + i] = std::cos(angle);
        step.sin[t * half + i] = std::sin(angle);
      }
      float* x = step.x + t * hidden;
      if (!first_stage()) {
        std::memcpy(x, step.input->hidden_states.data() + t * hidden, hidden * sizeof(float));
        continue;
      }
      const int64_t row = step.input->token_ids[t] * hidden;
      if (embedding_.scalar_type() == at::kBFloat16) {
        const auto* from = SpanOf<kernels::BFloat16>(embedding_).data() + row;
        std::transform(from, from + hidden, x, kernels::ToFloat);
      } else {
        std::memcpy(x, SpanOf<float>(embedding_).data() + row, hidden * sizeof(float));
      }
    }
  });
}

void CpuLlama::Norm(Member& member, const float* x, const std::vector<float>& weight, int64_t rows,
                    float* y) const {
  const int64_t hidden = config_.hidden_size;
  member.ForEach(rows, kTokenGrain, [&](int64_t begin, int64_t end) {
    kernels::RmsNorm(x + begin * hidden, weight.data(), config_.rms_norm_eps, end - begin, hidden,
                     y + begin * hidden);
  });
}

void CpuLlama::Attend(Member& member, const Step& step, size_t index) {
  const Layer& layer = layers_[index];
  const kernels::PagedAttentionArgs args = AttentionArgs(step, index);
  const int q = config_.q_size();
  const int64_t half = config_.head_dim / 2;
  Norm(member, step.x, layer.attention_norm, step.tokens, step.normed);
  Multiply(member, {.weight = &layer.qkv,
                    .x = step.normed,
                    .bias = OrNull(layer.qkv_bias),
                    .y = step.qkv,
                    .rows = step.tokens});
  member.ForEach(step.tokens, kTokenGrain, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      float* qkv = step.qkv + t * args.q_stride;
      // Keys follow the queries.
      kernels::RotateHeads(qkv, config_.heads + config_.kv_heads, config_.head_dim,
                           step.cos + t * half, step.sin + t * half);
      kernels::WriteKv(args.kv, qkv + q, qkv + q + config_.kv_size(), step.pages[t],
                       step.input->positions[t] % kKvBlockTokens);
    }
  });
  member.ForEach(static_cast<int64_t>(step.units.size()), 1, [&](int64_t begin, int64_t) {
    attention_[member.index()].Run(args, step.units[begin]);
  });
  Multiply(member, {.weight = &layer.attention_out,
                    .x = step.attended,
                    .bias = OrNull(layer.attention_out_bias),
                    .y = step.x,
                    .rows = step.tokens,
                    .accumulate = true});
}

void CpuLlama::Mlp(Member& member, const Step& step, const Layer& layer) const {
  Norm(member, step.x, layer.mlp_norm, step.tokens, step.normed);
  Multiply(member, {.weight = &layer.gate_up,
                    .x = step.normed,
                    .bias = OrNull(layer.gate_up_bias),
                    .y = step.inner,
                    .rows = step.tokens});
  Multiply(member, {.weight = &layer.down,
                    .x = step.inner,
                    .bias = OrNull(layer.down_bias),
                    .y = step.x,
                    .rows = step.tokens,
                    .accumulate = true});
}

void CpuLlama::Head(Member& member, const Step& step) const {
  const auto wanted = step.input->logits_tokens;
  const int64_t hidden = config_.hidden_size;
  const int64_t rows = static_cast<int64_t>(wanted.size());
  member.ForEach(rows, kTokenGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      kernels::RmsNorm(step.x + wanted[i] * hidden, final_norm_.data(), config_.rms_norm_eps, 1,
                       hidden, step.normed + i * hidden);
    }
  });
  Multiply(member, {.weight = head_.get(), .x = step.normed, .y = step.logits, .rows = rows});
}

absl::Status CpuLlama::Run(const StepInput& input) {
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
    Embed(member, step);
    for (size_t i = 0; i < layers_.size(); ++i) {
      Attend(member, step, i);
      Mlp(member, step, layers_[i]);
    }
    if (last_stage()) {
      Head(member, step);
    }
  });
  return absl::OkStatus();
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
