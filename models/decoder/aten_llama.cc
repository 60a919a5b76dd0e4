#include "models/decoder/aten_llama.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "models/decoder/kv_pages.h"
#include "models/decoder/llama_tensors.h"
#include "models/decoder/step_check.h"

namespace terminus::models::decoder {
namespace {

at::Tensor ToDevice(const std::vector<int64_t>& values, const at::TensorOptions& options) {
  return at::tensor(values, at::kLong).to(options.device());
}

at::Tensor Project(const at::Tensor& x, const at::Tensor& weight,
                   const std::optional<at::Tensor>& bias) {
  return at::linear(x, weight, bias);
}

// x [tokens, heads, head_dim]; the halves of a head are pairs.
at::Tensor Rotate(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  const auto halves = x.chunk(2, -1);
  return x * cos + at::cat({-halves[1], halves[0]}, -1) * sin;
}

}  // namespace

AtenLlama::AtenLlama(const LlamaConfig& config, const LmOptions& options, at::Device device,
                     checkpoint::Weights& weights)
    : config_(config),
      options_(at::TensorOptions(device).dtype(
          options.dtype == ComputeDType::kBFloat16 ? at::kBFloat16 : at::kFloat)),
      first_layer_(options.layers.first),
      kv_blocks_(options.kv_blocks),
      frequencies_(at::tensor(RopeFrequencies(config.rope, config.head_dim)).to(device)) {
  for (int i = options.layers.first; i < options.layers.last; ++i) {
    layers_.push_back(LoadLayer(i, weights));
  }
  const LlamaTables tables = FindTables(config, weights);
  const std::vector<int64_t> shape = {config.vocab_size, config.hidden_size};
  if (first_stage()) {
    embedding_ = LoadTensor(tables.embedding, shape, weights);
  }
  if (last_stage()) {
    final_norm_ = LoadTensor("norm.weight", {config.hidden_size}, weights);
    head_ = first_stage() && tables.head == tables.embedding
                ? embedding_
                : LoadTensor(tables.head, shape, weights);
  }
}

at::Tensor AtenLlama::LoadTensor(const std::string& name, at::IntArrayRef shape,
                                 checkpoint::Weights& weights) const {
  return weights.GetAsStored(name, shape).to(options_);
}

AtenLlama::Projection AtenLlama::Load(const std::string& name, int64_t in, int64_t out, bool bias,
                                      checkpoint::Weights& weights) const {
  Projection projection{.weight = LoadTensor(name + ".weight", {out, in}, weights)};
  if (bias) {
    projection.bias = LoadTensor(name + ".bias", {out}, weights);
  }
  return projection;
}

AtenLlama::Layer AtenLlama::LoadLayer(int index, checkpoint::Weights& weights) const {
  const std::string layer = absl::StrCat("layers.", index, ".");
  const std::string attention = layer + "self_attn.";
  const std::string mlp = layer + "mlp.";
  const int hidden = config_.hidden_size;
  const int q = config_.q_size();
  const int kv = config_.kv_size();
  const int inner = config_.intermediate_size;
  const std::vector<int64_t> kv_shape = {static_cast<int64_t>(kv_blocks_) * kKvBlockTokens,
                                         config_.kv_heads, config_.head_dim};
  return {.attention_norm = LoadTensor(layer + "input_layernorm.weight", {hidden}, weights),
          .q = Load(attention + "q_proj", hidden, q, config_.qkv_bias, weights),
          .k = Load(attention + "k_proj", hidden, kv, config_.qkv_bias, weights),
          .v = Load(attention + "v_proj", hidden, kv, config_.qkv_bias, weights),
          .attention_out = Load(attention + "o_proj", q, hidden, config_.output_bias, weights),
          .mlp_norm = LoadTensor(layer + "post_attention_layernorm.weight", {hidden}, weights),
          .gate = Load(mlp + "gate_proj", hidden, inner, config_.mlp_bias, weights),
          .up = Load(mlp + "up_proj", hidden, inner, config_.mlp_bias, weights),
          .down = Load(mlp + "down_proj", inner, hidden, config_.mlp_bias, weights),
          .keys = at::zeros(kv_shape, options_),
          .values = at::zeros(kv_shape, options_)};
}

int64_t AtenLlama::kv_block_bytes() const {
  return KvBlockBytes(static_cast<int>(layers_.size()), config_.kv_heads, config_.head_dim,
                      static_cast<int64_t>(options_.dtype().itemsize()));
}

AtenLlama::Step AtenLlama::Prepare(const StepInput& input) const {
  Step step{.input = &input};
  std::vector<int64_t> positions(input.positions.begin(), input.positions.end());
  const at::Tensor angles =
      ToDevice(positions, options_).to(at::kFloat).unsqueeze(1) * frequencies_.unsqueeze(0);
  const at::Tensor both = at::cat({angles, angles}, -1).unsqueeze(1);
  step.cos = both.cos().to(options_);
  step.sin = both.sin().to(options_);
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
    step.masks.push_back(
        queries == 1
            ? at::Tensor()
            : at::ones({queries, length}, options_.dtype(at::kBool)).tril(length - queries));
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

// x [tokens, hidden] → [tokens, q_size].
at::Tensor AtenLlama::Attend(const Layer& layer, const Step& step, const at::Tensor& x) const {
  const auto heads = [&](const Projection& projection, int count) {
    return Project(x, projection.weight, projection.bias).view({-1, count, config_.head_dim});
  };
  const at::Tensor q = Rotate(heads(layer.q, config_.heads), step.cos, step.sin);
  at::Tensor keys = layer.keys;
  at::Tensor values = layer.values;
  keys.index_copy_(0, step.slots, Rotate(heads(layer.k, config_.kv_heads), step.cos, step.sin));
  values.index_copy_(0, step.slots, heads(layer.v, config_.kv_heads));
  std::vector<at::Tensor> outs;
  for (size_t s = 0; s < step.rows.size(); ++s) {
    const auto split = [](const at::Tensor& part) { return part.transpose(0, 1).unsqueeze(0); };
    const std::optional<at::Tensor> mask =
        step.masks[s].defined() ? std::optional<at::Tensor>(step.masks[s]) : std::nullopt;
    const at::Tensor out = at::scaled_dot_product_attention(
        split(q.slice(0, step.input->query_indptr[s], step.input->query_indptr[s + 1])),
        split(keys.index_select(0, step.rows[s])), split(values.index_select(0, step.rows[s])),
        mask, /*dropout_p=*/0.0, /*is_causal=*/false, /*scale=*/std::nullopt, /*enable_gqa=*/true);
    outs.push_back(out.squeeze(0).transpose(0, 1).reshape({-1, config_.q_size()}));
  }
  return at::cat(outs);
}

absl::StatusOr<at::Tensor> AtenLlama::Run(const StepInput& input) {
  TERMINUS_RETURN_IF_ERROR(CheckStep(input, {.vocab_size = config_.vocab_size,
                                             .max_context = config_.max_positions,
                                             .kv_blocks = kv_blocks_,
                                             .hidden_size = config_.hidden_size,
                                             .first_stage = first_stage()}));
  const int64_t tokens = static_cast<int64_t>(input.token_ids.size());
  if (tokens == 0) {
    return at::empty({0, config_.hidden_size}, options_);
  }
  at::Tensor x;
  if (first_stage()) {
    x = embedding_.index_select(
        0, ToDevice({input.token_ids.begin(), input.token_ids.end()}, options_));
  } else {
    x = at::from_blob(const_cast<float*>(input.hidden_states.data()), {tokens, config_.hidden_size},
                      at::kFloat)
            .to(options_, /*non_blocking=*/false, /*copy=*/true);
  }
  const Step step = Prepare(input);
  for (const Layer& layer : layers_) {
    const at::Tensor attended = Attend(layer, step, Norm(x, layer.attention_norm));
    x = x + Project(attended, layer.attention_out.weight, layer.attention_out.bias);
    const at::Tensor normed = Norm(x, layer.mlp_norm);
    const at::Tensor inner = at::silu(Project(normed, layer.gate.weight, layer.gate.bias)) *
                             Project(normed, layer.up.weight, layer.up.bias);
    x = x + Project(inner, layer.down.weight, layer.down.bias);
  }
  return x;
}

absl::StatusOr<Logits> AtenLlama::Forward(const StepInput& input) {
  TERMINUS_CHECK(last_stage());
  TERMINUS_ASSIGN_OR_RETURN(const at::Tensor x, Run(input));
  const at::Tensor wanted =
      ToDevice({input.logits_tokens.begin(), input.logits_tokens.end()}, options_);
  const at::Tensor rows = Norm(x.index_select(0, wanted), final_norm_);
  out_ = Project(rows, head_, std::nullopt).to(at::kCPU, at::kFloat).contiguous();
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
