#include "models/text/qwen3.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "models/nn/attention.h"
#include "models/text/pooling.h"

namespace terminus::models::text {
namespace {

// Checkpoints of a Qwen3ForCausalLM have it, those of a Qwen3Model do not.
constexpr absl::string_view kPrefixes[] = {"model."};

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

class Qwen3::Loader {
 public:
  Loader(const nn::Loader& loader, double eps) : loader_(loader), eps_(eps) {}

  nn::RmsNorm LoadNorm(const decoder::NormSpec& norm) const {
    return {.weight = loader_.Get(norm.name + ".weight", {norm.width}), .eps = eps_};
  }

  nn::Linear LoadLinear(const decoder::LinearSpec& linear) const {
    if (linear.parts.size() == 1) {
      return loader_.GetLinear(linear.parts[0].name, linear.in, linear.out(), linear.bias);
    }
    std::vector<std::pair<std::string, int64_t>> parts;
    for (const decoder::LinearSpec::Part& part : linear.parts) {
      parts.emplace_back(part.name, part.out);
    }
    return loader_.GetJoined(parts, linear.in, linear.bias);
  }

 private:
  const nn::Loader& loader_;
  double eps_;
};

class Qwen3::Ops {
 public:
  // x [tokens, hidden]
  Ops(const decoder::LlamaConfig& config, const decoder::AtenRope::Angles& angles,
      const nn::Sequences& sequences, at::Tensor x)
      : config_(config), angles_(angles), sequences_(sequences), x_(std::move(x)) {}

  // The residual stream.
  const at::Tensor& x() const { return x_; }

  void Norm(const nn::RmsNorm& norm) { normed_ = norm.Forward(x_); }

  void ProjectQkv(const nn::Linear& linear) {
    const auto parts = linear.Forward(normed_).split_with_sizes(
        {config_.q_size(), config_.kv_size(), config_.kv_size()}, 1);
    const auto heads = [&](const at::Tensor& part) {
      return part.unflatten(1, {-1, config_.head_dim});
    };
    queries_ = heads(parts[0]);
    keys_ = heads(parts[1]);
    values_ = heads(parts[2]);
  }

  void PrepareHeads(const decoder::HeadSteps<nn::RmsNorm>& steps, int /*layer*/) {
    if (steps.query_norm != nullptr) {
      queries_ = steps.query_norm->Forward(queries_);
      keys_ = steps.key_norm->Forward(keys_);
    }
    if (steps.rope) {
      queries_ = decoder::AtenRope::Rotate(queries_, angles_);
      keys_ = decoder::AtenRope::Rotate(keys_, angles_);
    }
  }

  // No text is longer than a window (decoder::ReadQwen3EncoderConfig).
  void Attend(const decoder::LayerAttention& /*attention*/, int /*layer*/) {
    // Each head of keys and values once for every head of queries that looks at it.
    const auto spread = [&](const at::Tensor& heads) {
      return heads.unsqueeze(2)
          .expand({-1, -1, config_.heads / config_.kv_heads, -1})
          .flatten(1, 2);
    };
    const at::Tensor all = at::cat({queries_, spread(keys_), spread(values_)}, 1);
    attended_ = nn::PackedSelfAttention(all.flatten(1), sequences_, config_.heads, config_.causal);
  }

  void AddAttended(const nn::Linear& linear, const nn::RmsNorm& norm) {
    x_ = linear.ForwardAdd(attended_, x_);
    Norm(norm);
  }

  void ProjectGated(const nn::Linear& linear) {
    const auto parts = linear.Forward(normed_).chunk(2, 1);
    inner_ = at::silu(parts[0]) * parts[1];
  }

  void AddInner(const nn::Linear& linear, const nn::RmsNorm* next) {
    x_ = linear.ForwardAdd(inner_, x_);
    if (next != nullptr) {
      Norm(*next);
    }
  }

 private:
  const decoder::LlamaConfig& config_;
  const decoder::AtenRope::Angles& angles_;
  const nn::Sequences& sequences_;
  at::Tensor x_, normed_, queries_, keys_, values_, attended_, inner_;
};

Qwen3::Qwen3(const decoder::LlamaConfig& config, Pooling pooling, const nn::Loader& loader)
    : config_(config),
      pooling_(pooling),
      tokens_(loader.GetTable(decoder::kEmbeddingTensor, {config.vocab_size, config.hidden_size})),
      rope_(config, tokens_.device()) {
  const Loader layers(loader, config.rms_norm_eps);
  for (int i = 0; i < config.layers; ++i) {
    layers_.push_back(decoder::LoadLlamaLayer(decoder::DescribeLayer(config, i), layers));
  }
  final_norm_ = layers.LoadNorm(decoder::DescribeFinalNorm(config));
}

std::vector<int64_t> Qwen3::Pooled(const PackedTexts& texts) const {
  return PooledTokens(texts.offsets, pooling_);
}

bool Qwen3::IsCapturable(int longest) const {
  return nn::AttentionIsCapturable(tokens_, config_.head_dim, longest);
}

at::Tensor Qwen3::Forward(const TextInputs& inputs) const {
  const auto angles = rope_.At(inputs.positions, tokens_.scalar_type());
  Ops ops(config_, angles, inputs.sequences, at::index_select(tokens_, 0, inputs.ids));
  decoder::RunLlamaLayers(config_, /*first_layer=*/0, layers_, ops);
  return Pool(final_norm_.Forward(ops.x()), inputs);
}

}  // namespace terminus::models::text
