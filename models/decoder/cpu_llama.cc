#include "models/decoder/cpu_llama.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <thread>
#include <utility>

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

std::vector<float> ToVector(const at::Tensor& tensor) {
  const auto values = SpanOf<float>(tensor);
  return {values.begin(), values.end()};
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

// Puts the tensors of a checkpoint where products and norms read them.
class CpuLlama::Loader {
 public:
  Loader(kernels::Isa isa, WeightType type, std::shared_ptr<kernels::PanelArena> arena,
         checkpoint::Weights& weights)
      : isa_(isa), type_(type), arena_(std::move(arena)), weights_(weights) {}

  std::vector<float> LoadNorm(const NormSpec& norm) const {
    return ToVector(weights_.Get(norm.name + ".weight", {norm.width}));
  }

  Product LoadLinear(const LinearSpec& linear) const {
    // Each part of a gated pair has all outputs.
    const int64_t out = linear.gated ? linear.parts[0].out : linear.out();
    PanelWeight weight(isa_, type_, linear.in, out, /*paired=*/linear.gated, arena_);
    std::vector<float> bias;
    int64_t row = 0;
    int which = 0;
    for (const LinearSpec::Part& part : linear.parts) {
      Place(part.name + ".weight", part.out, row, which, &weight);
      if (linear.bias) {
        const auto values = ToVector(weights_.Get(part.name + ".bias", {part.out}));
        bias.insert(bias.end(), values.begin(), values.end());
      }
      linear.gated ? which += 1 : row += part.out;
    }
    return {.weight = std::move(weight), .bias = std::move(bias)};
  }

  std::unique_ptr<PanelWeight> LoadMatrix(const std::string& name, int64_t in, int64_t out) const {
    auto weight = std::make_unique<PanelWeight>(isa_, type_, in, out, /*paired=*/false, arena_);
    Place(name, out, 0, 0, weight.get());
    return weight;
  }

 private:
  // Copies the tensor's `out` rows behind `row`; its dtype decides.
  void Place(const std::string& name, int64_t out, int64_t row, int which,
             PanelWeight* weight) const {
    const at::Tensor tensor = weights_.GetAsStored(name, {out, weight->in()});
    if (tensor.scalar_type() == at::kBFloat16) {
      weight->SetRows(SpanOf<kernels::BFloat16>(tensor), row, which);
    } else {
      weight->SetRows(SpanOf<float>(tensor.to(at::kFloat)), row, which);
    }
  }

  kernels::Isa isa_;
  WeightType type_;
  std::shared_ptr<kernels::PanelArena> arena_;
  checkpoint::Weights& weights_;
};

class CpuLlama::Ops {
 public:
  Ops(CpuLlama& lm, Member& member, const Step& step) : lm_(lm), member_(member), step_(step) {}

  void Norm(const std::vector<float>& norm) {
    const int64_t hidden = lm_.config_.hidden_size;
    member_.ForEach(step_.tokens, kTokenGrain, [&](int64_t begin, int64_t end) {
      kernels::RmsNorm(step_.x + begin * hidden, norm.data(), lm_.config_.rms_norm_eps, end - begin,
                       hidden, step_.normed + begin * hidden);
    });
  }

  void ProjectQkv(const Product& product) { Project(product, step_.normed, step_.qkv); }

  void PrepareHeads(const HeadSteps<std::vector<float>>& steps, int layer) {
    const kernels::PagedAttentionArgs args = lm_.AttentionArgs(step_, layer);
    member_.ForEach(step_.tokens, kTokenGrain, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        PrepareToken(steps, args.kv, step_.qkv + t * args.q_stride, t);
      }
    });
  }

  void Attend(const LayerAttention& attention, int layer) {
    kernels::PagedAttentionArgs args = lm_.AttentionArgs(step_, layer);
    args.window = attention.window;
    member_.ForEach(static_cast<int64_t>(step_.units.size()), 1, [&](int64_t begin, int64_t) {
      lm_.attention_[member_.index()].Run(args, step_.units[begin]);
    });
  }

  void AddAttended(const Product& product, const std::vector<float>& norm) {
    Add(product, step_.attended);
    Norm(norm);
  }

  void ProjectGated(const Product& product) { Project(product, step_.normed, step_.inner); }

  void AddInner(const Product& product, const std::vector<float>* next) {
    Add(product, step_.inner);
    if (next != nullptr) {
      Norm(*next);
    }
  }

 private:
  void PrepareToken(const HeadSteps<std::vector<float>>& steps, const kernels::KvPages& kv,
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

  void Project(const Product& product, const float* x, float* y) {
    Multiply(member_, {.weight = &product.weight,
                       .x = x,
                       .bias = OrNull(product.bias),
                       .y = y,
                       .rows = step_.tokens});
  }

  // Onto the residual stream.
  void Add(const Product& product, const float* x) {
    Multiply(member_, {.weight = &product.weight,
                       .x = x,
                       .bias = OrNull(product.bias),
                       .y = step_.x,
                       .rows = step_.tokens,
                       .accumulate = true});
  }

  CpuLlama& lm_;
  Member& member_;
  const Step& step_;
};

CpuLlama::CpuLlama(const LlamaConfig& config, const LmOptions& options, kernels::Isa isa,
                   checkpoint::Weights& weights)
    : config_(config),
      dtype_(options.dtype == ComputeDType::kBFloat16 ? ComputeDType::kBFloat16
                                                      : ComputeDType::kFloat32),
      first_layer_(options.layers.first),
      rope_frequencies_(RopeFrequencies(config.rope, config.head_dim)),
      kv_(options.layers.last - options.layers.first, options.kv_blocks, config.kv_heads,
          config.head_dim),
      team_(Threads(options)),
      attention_(team_.size(),
                 kernels::PagedAttention(isa, config.heads, config.kv_heads, config.head_dim)) {
  const Loader loader(isa, TypeFor(options.dtype), std::make_shared<kernels::PanelArena>(),
                      weights);
  for (int i = options.layers.first; i < options.layers.last; ++i) {
    layers_.push_back(LoadLlamaLayer(DescribeLayer(config, i), loader));
  }
  const LlamaTables tables = FindTables(config, weights);
  if (first_stage()) {
    embedding_ = weights.GetAsStored(tables.embedding, {config.vocab_size, config.hidden_size});
    if (embedding_.scalar_type() != at::kBFloat16) {
      embedding_ = embedding_.to(at::kFloat);
    }
  }
  if (last_stage()) {
    final_norm_ = loader.LoadNorm(DescribeFinalNorm(config));
    head_ = loader.LoadMatrix(tables.head, config.hidden_size, config.vocab_size);
  }
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

// Also the angles, which all layers share.
void CpuLlama::Embed(Member& member, const Step& step) const {
  const int64_t half = config_.head_dim / 2;
  const auto factor = static_cast<float>(config_.rope.attention_factor);
  member.ForEach(step.tokens, kTokenGrain, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const float position = static_cast<float>(step.input->positions[t]);
      for (int64_t i = 0; i < half; ++i) {
        const float angle = position * rope_frequencies_[i];
        step.cos[t * half + i] = std::cos(angle) * factor;
        step.sin[t * half + i] = std::sin(angle) * factor;
      }
      EmbedToken(step, t, step.x + t * config_.hidden_size);
    }
  });
}

void CpuLlama::EmbedToken(const Step& step, int64_t token, float* x) const {
  const int64_t hidden = config_.hidden_size;
  const auto copy = [&](const float* from) { std::memcpy(x, from, hidden * sizeof(float)); };
  if (!first_stage()) {
    copy(step.input->hidden_states.data() + token * hidden);
    return;
  }
  if (step.soft_rows != nullptr && step.soft_rows[token] != nullptr) {
    copy(step.soft_rows[token]);
    return;
  }
  const int64_t row = step.input->token_ids[token] * hidden;
  if (embedding_.scalar_type() == at::kBFloat16) {
    const auto* from = SpanOf<kernels::BFloat16>(embedding_).data() + row;
    std::transform(from, from + hidden, x, kernels::ToFloat);
  } else {
    copy(SpanOf<float>(embedding_).data() + row);
  }
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
    Ops ops(*this, member, step);
    RunLlamaLayers(config_, first_layer_, layers_, ops);
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
