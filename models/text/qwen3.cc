#include "models/text/qwen3.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "models/nn/attention.h"
#include "models/text/pooling.h"

namespace terminus::models::text {
namespace {

// Checkpoints of a Qwen3ForCausalLM have it, those of a Qwen3Model do not.
constexpr absl::string_view kPrefixes[] = {"model."};

// x [tokens, heads, head_dim]; the halves of a head are pairs.
at::Tensor Rotate(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  const auto halves = x.chunk(2, -1);
  return x * cos + at::cat({-halves[1], halves[0]}, -1) * sin;
}

}  // namespace

absl::StatusOr<TextPlan> ReadQwen3Plan(const SentenceConfig& sentence) {
  TERMINUS_ASSIGN_OR_RETURN(const decoder::LlamaConfig config,
                            decoder::ReadQwen3EncoderConfig(sentence.encoder_folder));
  if (!sentence.has_pooling) {
    return absl::InvalidArgumentError(
        absl::StrCat(sentence.encoder_folder,
                     ": a \"qwen3\" text encoder needs a modules.json that says how to pool"));
  }
  return TextPlan{.dimension = config.hidden_size,
                  .names = {.prefixes = kPrefixes},
                  .build = [config, pooling = sentence.pooling](const nn::Loader& loader) {
                    return std::make_unique<Qwen3>(config, pooling, loader);
                  }};
}

Qwen3::Qwen3(const decoder::LlamaConfig& config, Pooling pooling, const nn::Loader& loader)
    : config_(config), pooling_(pooling) {
  tokens_ = loader.GetTable("embed_tokens.weight", {config.vocab_size, config.hidden_size});
  frequencies_ =
      at::tensor(decoder::RopeFrequencies(config.rope, config.head_dim)).to(tokens_.device());
  for (int i = 0; i < config.layers; ++i) {
    layers_.push_back(LoadLayer(absl::StrCat("layers.", i, "."), loader));
  }
  final_norm_ = LoadNorm("norm", config.hidden_size, loader);
}

nn::RmsNorm Qwen3::LoadNorm(const std::string& name, int64_t width,
                            const nn::Loader& loader) const {
  return {.weight = loader.Get(name + ".weight", {width}), .eps = config_.rms_norm_eps};
}

Qwen3::Layer Qwen3::LoadLayer(const std::string& prefix, const nn::Loader& loader) const {
  const std::string attention = prefix + "self_attn.";
  const std::string mlp = prefix + "mlp.";
  const int hidden = config_.hidden_size;
  const int inner = config_.intermediate_size;
  return {.attention_norm = LoadNorm(prefix + "input_layernorm", hidden, loader),
          .qkv = loader.GetJoined({{attention + "q_proj", config_.q_size()},
                                   {attention + "k_proj", config_.kv_size()},
                                   {attention + "v_proj", config_.kv_size()}},
                                  hidden, config_.qkv_bias),
          .query_norm = LoadNorm(attention + "q_norm", config_.head_dim, loader),
          .key_norm = LoadNorm(attention + "k_norm", config_.head_dim, loader),
          .attention_out =
              loader.GetLinear(attention + "o_proj", config_.q_size(), hidden, config_.output_bias),
          .mlp_norm = LoadNorm(prefix + "post_attention_layernorm", hidden, loader),
          .mlp = {.config = {.hidden = hidden, .intermediate = inner, .gated = true},
                  .up = loader.GetJoined({{mlp + "gate_proj", inner}, {mlp + "up_proj", inner}},
                                         hidden, config_.mlp_bias),
                  .down = loader.GetLinear(mlp + "down_proj", inner, hidden, config_.mlp_bias)}};
}

Qwen3::Turn Qwen3::TurnFor(const at::Tensor& positions) const {
  const at::Tensor angles = positions.to(at::kFloat).unsqueeze(1) * frequencies_.unsqueeze(0);
  const at::Tensor both = at::cat({angles, angles}, -1).unsqueeze(1);
  return {both.cos().to(tokens_.scalar_type()), both.sin().to(tokens_.scalar_type())};
}

at::Tensor Qwen3::Attend(const Layer& layer, const Turn& turn, const at::Tensor& x,
                         const nn::Sequences& sequences) const {
  const at::Tensor qkv = layer.qkv.Forward(x);
  const auto part = [&](int64_t begin, int64_t size) {
    return qkv.slice(1, begin, begin + size).unflatten(1, {-1, config_.head_dim});
  };
  const int64_t q_size = config_.q_size();
  const int64_t kv_size = config_.kv_size();
  const at::Tensor query = Rotate(layer.query_norm.Forward(part(0, q_size)), turn.cos, turn.sin);
  const at::Tensor key = Rotate(layer.key_norm.Forward(part(q_size, kv_size)), turn.cos, turn.sin);
  // Each head of keys and values once for every head of queries that looks at it.
  const auto spread = [&](const at::Tensor& heads) {
    return heads.unsqueeze(2).expand({-1, -1, config_.heads / config_.kv_heads, -1}).flatten(1, 2);
  };
  const at::Tensor value = part(q_size + kv_size, kv_size);
  const at::Tensor all = at::cat({query, spread(key), spread(value)}, 1);
  return nn::PackedSelfAttention(all.flatten(1), sequences, config_.heads, config_.causal);
}

std::vector<int64_t> Qwen3::Pooled(const PackedTexts& texts) const {
  return PooledTokens(texts.offsets, pooling_);
}

bool Qwen3::IsCapturable(int longest) const {
  return nn::AttentionIsCapturable(tokens_, config_.head_dim, longest);
}

at::Tensor Qwen3::Forward(const TextInputs& inputs) const {
  at::Tensor x = at::index_select(tokens_, 0, inputs.ids);
  const Turn turn = TurnFor(inputs.positions);
  for (const Layer& layer : layers_) {
    const at::Tensor attended =
        Attend(layer, turn, layer.attention_norm.Forward(x), inputs.sequences);
    x = layer.attention_out.ForwardAdd(attended, x);
    x = layer.mlp.ForwardAdd(layer.mlp_norm.Forward(x), x);
  }
  return Pool(final_norm_.Forward(x), inputs);
}

}  // namespace terminus::models::text
