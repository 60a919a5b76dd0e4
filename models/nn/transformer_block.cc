#include "models/nn/transformer_block.h"

#include <optional>

#include "models/nn/attention.h"

namespace terminus::models::nn {
namespace {

// scale · (W x + b) as one linear map.
Linear LoadScaled(const std::string& name, int64_t in, int64_t out, const at::Tensor& scale,
                  const Loader& loader) {
  if (!scale.defined()) {
    return loader.GetLinear(name, in, out);
  }
  return loader.MakeLinear(loader.GetFloat(name + ".weight", {out, in}) * scale.unsqueeze(1),
                           loader.GetFloat(name + ".bias", {out}) * scale);
}

at::Tensor LoadScale(const BlockConfig& config, const std::string& name, const Loader& loader) {
  return config.layer_scale ? loader.GetFloat(name, {config.mlp.hidden}) : at::Tensor();
}

// Queries, keys and values in one product.
Linear LoadQkv(const BlockConfig& config, const BlockNames& names, const std::string& prefix,
               const Loader& loader) {
  const int hidden = config.mlp.hidden;
  return loader.GetJoined({{prefix + names.query, hidden},
                           {prefix + names.key, hidden},
                           {prefix + names.value, hidden}},
                          hidden, config.qkv_bias);
}

}  // namespace

Mlp Mlp::Load(const MlpConfig& config, const std::string& up, const std::string& down,
              const at::Tensor& out_scale, const Loader& loader) {
  const int inner = config.intermediate;
  return {.config = config,
          .up = loader.GetLinear(up, config.hidden, config.gated ? 2 * inner : inner),
          .down = LoadScaled(down, inner, config.hidden, out_scale, loader)};
}

at::Tensor Mlp::ForwardAdd(const at::Tensor& x, const at::Tensor& residual) const {
  if (!config.gated) {
    return down.ForwardAdd(up.Forward(x, config.activation), residual);
  }
  const auto parts = up.Forward(x).chunk(2, 1);
  return down.ForwardAdd(at::silu(parts[0]) * parts[1], residual);
}

TransformerBlock::TransformerBlock(const BlockConfig& config, const BlockNames& names,
                                   const std::string& prefix, const Loader& loader)
    : config_(config),
      norm1_(loader.GetNorm(prefix + names.norm1, config.mlp.hidden, config.layer_norm_eps)),
      qkv_(LoadQkv(config, names, prefix, loader)),
      attention_out_(LoadScaled(prefix + names.attention_out, config.mlp.hidden, config.mlp.hidden,
                                LoadScale(config, prefix + names.scale1, loader), loader)),
      norm2_(loader.GetNorm(prefix + names.norm2, config.mlp.hidden, config.layer_norm_eps)),
      mlp_(Mlp::Load(config.mlp, prefix + names.up, prefix + names.down,
                     LoadScale(config, prefix + names.scale2, loader), loader)) {}

at::Tensor TransformerBlock::Forward(const at::Tensor& x,
                                     const std::vector<int32_t>& offsets) const {
  const at::Tensor qkv = qkv_.Forward(norm1_.Forward(x));
  const at::Tensor attended = PackedSelfAttention(qkv, offsets, config_.heads, config_.causal);
  const at::Tensor y = attention_out_.ForwardAdd(attended, x);
  return mlp_.ForwardAdd(norm2_.Forward(y), y);
}

}  // namespace terminus::models::nn
