#include "models/decoder/aten_llama.h"

#include <utility>

#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "models/decoder/llama_tensors.h"
#include "models/decoder/memory_plan.h"
#include "models/decoder/step_check.h"

namespace terminus::models::decoder {
namespace {

at::Tensor ToDevice(const std::vector<int64_t>& values, const at::TensorOptions& options) {
  return at::tensor(values, at::kLong).to(options.device());
}

}  // namespace

class AtenLlama::Loader {
 public:
  Loader(const AtenLlama& lm, checkpoint::Weights& weights) : lm_(lm), weights_(weights) {}

  at::Tensor LoadNorm(const NormSpec& norm) const {
    return lm_.LoadTensor(norm.name + ".weight", {norm.width}, weights_);
  }

  Product LoadLinear(const LinearSpec& linear) const {
    std::vector<at::Tensor> weights;
    std::vector<at::Tensor> biases;
    for (const LinearSpec::Part& part : linear.parts) {
      weights.push_back(lm_.LoadTensor(part.name + ".weight", {part.out, linear.in}, weights_));
      if (linear.bias) {
        biases.push_back(lm_.LoadTensor(part.name + ".bias", {part.out}, weights_));
      }
    }
    return {.weight = at::cat(weights),
            .bias = linear.bias ? std::optional(at::cat(biases)) : std::nullopt};
  }

 private:
  const AtenLlama& lm_;
  checkpoint::Weights& weights_;
};

class AtenLlama::Ops {
 public:
  // x [tokens, hidden]
  Ops(AtenLlama& lm, const Step& step, at::Tensor x) : lm_(lm), step_(step), x_(std::move(x)) {}

  // The residual stream.
  const at::Tensor& x() const { return x_; }

  void Norm(const at::Tensor& norm) { normed_ = lm_.Norm(x_, norm); }

  void ProjectQkv(const Product& product) {
    const auto parts =
        Apply(product, normed_)
            .split_with_sizes({lm_.config_.q_size(), lm_.config_.kv_size(), lm_.config_.kv_size()},
                              1);
    const auto heads = [&](const at::Tensor& part) {
      return part.unflatten(1, {-1, lm_.config_.head_dim});
    };
    queries_ = heads(parts[0]);
    keys_ = heads(parts[1]);
    values_ = heads(parts[2]);
  }

  void PrepareHeads(const HeadSteps<at::Tensor>& steps, int layer) {
    if (steps.query_norm != nullptr) {
      queries_ = lm_.Norm(queries_, *steps.query_norm);
      keys_ = lm_.Norm(keys_, *steps.key_norm);
    }
    if (steps.rope) {
      queries_ = AtenRope::Rotate(queries_, step_.angles);
      keys_ = AtenRope::Rotate(keys_, step_.angles);
    }
    Cache& cache = lm_.cache_[layer];
    cache.keys.index_copy_(0, step_.slots, keys_);
    cache.values.index_copy_(0, step_.slots, values_);
  }

  void Attend(const LayerAttention& attention, int layer) {
    const Cache& cache = lm_.cache_[layer];
    std::vector<at::Tensor> outs;
    for (size_t s = 0; s < step_.rows.size(); ++s) {
      const auto split = [](const at::Tensor& part) { return part.transpose(0, 1).unsqueeze(0); };
      const int64_t first = step_.input->query_indptr[s];
      const int64_t last = step_.input->query_indptr[s + 1];
      const at::Tensor out = at::scaled_dot_product_attention(
          split(queries_.slice(0, first, last)), split(cache.keys.index_select(0, step_.rows[s])),
          split(cache.values.index_select(0, step_.rows[s])),
          Mask(step_.positions.slice(0, first, last), step_.rows[s].size(0), attention.window),
          /*dropout_p=*/0.0, /*is_causal=*/false, lm_.config_.attention_scale(),
          /*enable_gqa=*/true);
      outs.push_back(out.squeeze(0).transpose(0, 1).flatten(1));
    }
    attended_ = at::cat(outs);
  }

  void AddAttended(const Product& product, const at::Tensor& norm) {
    x_ = x_ + Apply(product, attended_);
    Norm(norm);
  }

  void ProjectGated(const Product& product) {
    const auto parts = Apply(product, normed_).chunk(2, 1);
    inner_ = at::silu(parts[0]) * parts[1];
  }

  void AddInner(const Product& product, const at::Tensor* next) {
    x_ = x_ + Apply(product, inner_);
    if (next != nullptr) {
      Norm(*next);
    }
  }

 private:
  static at::Tensor Apply(const Product& product, const at::Tensor& x) {
    return at::linear(x, product.weight, product.bias);
  }

  // [queries, length]: which tokens of a sequence those at `positions` see.
  static at::Tensor Mask(const at::Tensor& positions, int64_t length, int window) {
    const at::Tensor query = positions.unsqueeze(1);
    const at::Tensor key = at::arange(length, positions.options()).unsqueeze(0);
    const at::Tensor causal = key <= query;
    return window > 0 ? causal.logical_and(key > query - window) : causal;
  }

  AtenLlama& lm_;
  const Step& step_;
  at::Tensor x_, normed_, queries_, keys_, values_, attended_, inner_;
};

AtenLlama::AtenLlama(const LlamaConfig& config, const LmOptions& options, at::Device device,
                     checkpoint::Weights& weights)
    : config_(config),
      dtype_(options.dtype == ComputeDType::kBFloat16 ? ComputeDType::kBFloat16
                                                      : ComputeDType::kFloat32),
      options_(at::TensorOptions(device).dtype(
          options.dtype == ComputeDType::kBFloat16 ? at::kBFloat16 : at::kFloat)),
      first_layer_(options.layers.first),
      kv_blocks_(options.kv_blocks),
      rope_(config, device) {
  const Loader loader(*this, weights);
  const std::vector<int64_t> cache = {static_cast<int64_t>(kv_blocks_) * kKvBlockTokens,
                                      config.kv_heads, config.head_dim};
  for (int i = options.layers.first; i < options.layers.last; ++i) {
    layers_.push_back(LoadLlamaLayer(DescribeLayer(config, i), loader));
    cache_.push_back({.keys = at::zeros(cache, options_), .values = at::zeros(cache, options_)});
  }
  const LlamaTables tables = FindTables(config, weights);
  const std::vector<int64_t> shape = {config.vocab_size, config.hidden_size};
  if (first_stage()) {
    embedding_ = LoadTensor(tables.embedding, shape, weights);
  }
  if (last_stage()) {
    final_norm_ = loader.LoadNorm(DescribeFinalNorm(config));
    head_ = first_stage() && tables.head == tables.embedding
                ? embedding_
                : LoadTensor(tables.head, shape, weights);
  }
}

at::Tensor AtenLlama::LoadTensor(const std::string& name, at::IntArrayRef shape,
                                 checkpoint::Weights& weights) const {
  return weights.GetAsStored(name, shape).to(options_);
}

int64_t AtenLlama::kv_block_bytes() const {
  return KvBlockBytes(static_cast<int>(layers_.size()), config_.kv_heads, config_.head_dim,
                      static_cast<int64_t>(options_.dtype().itemsize()));
}

AtenLlama::Step AtenLlama::Prepare(const StepInput& input) const {
  Step step{.input = &input};
  step.positions = ToDevice({input.positions.begin(), input.positions.end()}, options_);
  step.angles = rope_.At(step.positions, options_.dtype().toScalarType());
  std::vector<int64_t> slots;
  for (size_t s = 0; s + 1 < input.query_indptr.size(); ++s) {
    const int64_t queries = input.query_indptr[s + 1] - input.query_indptr[s];
    const int64_t length = input.positions[input.query_indptr[s + 1] - 1] + 1;
    std::vector<int64_t> rows;
    for (int64_t t = 0; t < length; ++t) {
      const int64_t block = input.kv.indices[input.kv.indptr[s] + t / kKvBlockTokens];
      rows.push_back(block * kKvBlockTokens + t % kKvBlockTokens);
    }
    slots.insert(slots.end(), rows.end() - queries, rows.end());
    step.rows.push_back(ToDevice(rows, options_));
  }
  step.slots = ToDevice(slots, options_);
  return step;
}

at::Tensor AtenLlama::Norm(const at::Tensor& x, const at::Tensor& weight) const {
  const at::Tensor wide = x.to(at::kFloat);
  const at::Tensor scale =
      (wide.square().mean(-1, /*keepdim=*/true) + config_.rms_norm_eps).rsqrt();
  return (wide * scale).to(options_) * weight;
}

at::Tensor AtenLlama::Embed(const StepInput& input) const {
  if (first_stage()) {
    at::Tensor x = embedding_.index_select(
        0, ToDevice({input.token_ids.begin(), input.token_ids.end()}, options_));
    for (const SoftSpan& span : input.soft) {
      const float* const rows =
          span.tokens->values.data() + int64_t{span.first_row} * config_.hidden_size;
      x.narrow(0, span.first_token, span.rows)
          .copy_(at::from_blob(const_cast<float*>(rows), {span.rows, config_.hidden_size},
                               at::kFloat));
    }
    return x;
  }
  const int64_t tokens = static_cast<int64_t>(input.token_ids.size());
  return at::from_blob(const_cast<float*>(input.hidden_states.data()),
                       {tokens, config_.hidden_size}, at::kFloat)
      .to(options_, /*non_blocking=*/false, /*copy=*/true);
}

absl::StatusOr<at::Tensor> AtenLlama::Run(const StepInput& input) {
  TERMINUS_RETURN_IF_ERROR(CheckStep(input, {.vocab_size = config_.vocab_size,
                                             .max_context = config_.max_positions,
                                             .kv_blocks = kv_blocks_,
                                             .hidden_size = config_.hidden_size,
                                             .first_stage = first_stage()}));
  if (input.token_ids.empty()) {
    return at::empty({0, config_.hidden_size}, options_);
  }
  const Step step = Prepare(input);
  Ops ops(*this, step, Embed(input));
  RunLlamaLayers(config_, first_layer_, layers_, ops);
  return ops.x();
}

absl::StatusOr<Logits> AtenLlama::Forward(const StepInput& input) {
  TERMINUS_CHECK(last_stage());
  TERMINUS_ASSIGN_OR_RETURN(const at::Tensor x, Run(input));
  const at::Tensor wanted =
      ToDevice({input.logits_tokens.begin(), input.logits_tokens.end()}, options_);
  const at::Tensor rows = Norm(x.index_select(0, wanted), final_norm_);
  out_ = at::linear(rows, head_).to(at::kCPU, at::kFloat).contiguous();
  return Logits{.rows = static_cast<int>(input.logits_tokens.size()),
                .vocab_size = config_.vocab_size,
                .values = absl::MakeConstSpan(out_.const_data_ptr<float>(), out_.numel())};
}

absl::StatusOr<HiddenStates> AtenLlama::ForwardHidden(const StepInput& input) {
  TERMINUS_CHECK(!last_stage());
  TERMINUS_ASSIGN_OR_RETURN(const at::Tensor x, Run(input));
  out_ = x.to(at::kCPU, at::kFloat).contiguous();
  return HiddenStates{.tokens = static_cast<int>(input.token_ids.size()),
                      .hidden_size = config_.hidden_size,
                      .values = absl::MakeConstSpan(out_.const_data_ptr<float>(), out_.numel())};
}

}  // namespace terminus::models::decoder
