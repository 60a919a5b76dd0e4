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

// Also of FP8, which LibTorch does not select from.
at::Tensor SelectRows(const at::Tensor& x, const at::Tensor& rows) {
  if (x.scalar_type() != at::kFloat8_e4m3fn) {
    return at::index_select(x, 0, rows);
  }
  return at::index_select(x.view(at::kByte), 0, rows).view(at::kFloat8_e4m3fn);
}

double Largest(const at::Tensor& x) { return x.abs().max().to(at::kFloat).item<float>(); }

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

at::Tensor Mlp::ForwardAdd(const at::Tensor& x, const at::Tensor& residual,
                           double* inner_range) const {
  at::Tensor inner;
  if (config.gated) {
    const auto parts = up.Forward(x).chunk(2, 1);
    inner = at::silu(parts[0]) * parts[1];
  } else {
    inner = up.Forward(x, config.activation, down.input_scale());
  }
  if (inner_range != nullptr) {
    *inner_range = Largest(inner);
  }
  return down.ForwardAdd(inner, residual);
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

at::Tensor TransformerBlock::Run(const at::Tensor& x, const Sequences& sequences,
                                 const at::Tensor& rows, Ranges* ranges) const {
  const at::Tensor normed = norm1_.Forward(x, qkv_.input_scale());
  const at::Tensor qkv = qkv_.Forward(normed);
  // Where attention cannot write FP8, the product behind it makes it.
  const std::optional<float> scale = AttentionWritesFp8(qkv, sequences, config_.heads)
                                         ? attention_out_.input_scale()
                                         : std::nullopt;
  at::Tensor attended = PackedSelfAttention(qkv, sequences, config_.heads, config_.causal, scale);
  at::Tensor residual = x;
  if (rows.defined()) {
    attended = SelectRows(attended, rows);
    residual = SelectRows(x, rows);
  }
  const at::Tensor y = attention_out_.ForwardAdd(attended, residual);
  const at::Tensor normed_again = norm2_.Forward(y, mlp_.up.input_scale());
  if (ranges == nullptr) {
    return mlp_.ForwardAdd(normed_again, y);
  }
  ranges->qkv = Largest(normed);
  ranges->attention_out = Largest(attended);
  ranges->up = Largest(normed_again);
  return mlp_.ForwardAdd(normed_again, y, &ranges->down);
}

bool TransformerBlock::UseFp8(at::Tensor& x, const Sequences& sequences) {
  Ranges ranges;
  x = Run(x, sequences, /*rows=*/{}, &ranges);
  return qkv_.UseFp8(ranges.qkv) && attention_out_.UseFp8(ranges.attention_out) &&
         mlp_.up.UseFp8(ranges.up) && mlp_.down.UseFp8(ranges.down);
}

}  // namespace terminus::models::nn
