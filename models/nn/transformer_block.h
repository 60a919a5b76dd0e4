#pragma once

#include <ATen/ATen.h>

#include <string>

#include "models/nn/activation.h"
#include "models/nn/layer_norm.h"
#include "models/nn/linear.h"
#include "models/nn/loader.h"
#include "models/nn/sequences.h"

namespace terminus::models::nn {

// The inner map of a transformer block, and that of SigLIP's pooling head: down(activation(up(x))),
// or, gated, down(silu(gate) · up) with gate and up from one product ("GLU Variants Improve
// Transformer", Shazeer, 2020).
struct MlpConfig {
  int hidden = 0;
  int intermediate = 0;
  Activation activation = Activation::kGelu;
  bool gated = false;  // `activation` is not looked at then.
};

struct Mlp {
  MlpConfig config;
  Linear up;  // Gated: [2 · intermediate, hidden], the gate first.
  Linear down;

  // `out_scale` [hidden], if defined, multiplies what comes out.
  static Mlp Load(const MlpConfig& config, const std::string& up, const std::string& down,
                  const at::Tensor& out_scale, const Loader& loader);

  // x, residual [rows, hidden] → mlp(x) + residual. With `inner_range`, the largest magnitude of
  // what goes into `down`.
  at::Tensor ForwardAdd(const at::Tensor& x, const at::Tensor& residual,
                        double* inner_range = nullptr) const;
};

struct BlockConfig {
  int heads = 0;
  double layer_norm_eps = 1e-5;
  MlpConfig mlp;  // Its hidden size is the block's.
  bool qkv_bias = true;
  // What attention and MLP add is scaled for each channel: "Going deeper with Image Transformers"
  // (Touvron et al., 2021).
  bool layer_scale = false;
  bool causal = false;
};

// What a checkpoint calls a block's parts, behind the block's own prefix.
struct BlockNames {
  const char* norm1 = "";
  const char* query = "";
  const char* key = "";
  const char* value = "";
  const char* attention_out = "";
  const char* norm2 = "";
  const char* up = "";
  const char* down = "";
  const char* scale1 = "";
  const char* scale2 = "";
};

// Of both towers of transformers' CLIP, and of what was modelled on it.
inline constexpr BlockNames kClipBlockNames = {.norm1 = "layer_norm1",
                                               .query = "self_attn.q_proj",
                                               .key = "self_attn.k_proj",
                                               .value = "self_attn.v_proj",
                                               .attention_out = "self_attn.out_proj",
                                               .norm2 = "layer_norm2",
                                               .up = "mlp.fc1",
                                               .down = "mlp.fc2"};

// A layer of a pre-norm transformer ("On Layer Normalization in the Transformer Architecture",
// Xiong et al., 2020):
//   x = x + scale1 · attention(norm1(x))
//   x = x + scale2 · mlp(norm2(x))
// On any device and in any dtype; both are those of its weights. The scales are multiplied into
// the weights when they are read.
class TransformerBlock {
 public:
  TransformerBlock(const BlockConfig& config, const BlockNames& names, const std::string& prefix,
                   const Loader& loader);

  // x [rows, hidden] → the same shape. Depends on nothing but its arguments and never waits for a
  // device; sequences of one length take the same operators whatever is in them.
  at::Tensor Forward(const at::Tensor& x, const Sequences& sequences) const {
    return Run(x, sequences, /*rows=*/{}, nullptr);
  }

  // Of the result only `rows`, int64 indices on x's device → [rows, hidden]: behind the attention
  // nothing else is computed. For the last block of a stack of which few rows are looked at.
  at::Tensor ForwardRows(const at::Tensor& x, const Sequences& sequences,
                         const at::Tensor& rows) const {
    return Run(x, sequences, rows, nullptr);
  }

  // The same, and from now on products are in FP8, for inputs of up to twice the size of those that
  // came up here (Linear::UseFp8). False: they stay as they were, some or all.
  bool UseFp8(at::Tensor& x, const Sequences& sequences);

 private:
  // Largest magnitude of what goes into each product.
  struct Ranges {
    double qkv = 0;
    double attention_out = 0;
    double up = 0;
    double down = 0;
  };

  // All rows unless `rows` is defined. Notes in `ranges`, if there are any, what came up.
  at::Tensor Run(const at::Tensor& x, const Sequences& sequences, const at::Tensor& rows,
                 Ranges* ranges) const;

  BlockConfig config_;
  LayerNorm norm1_;
  Linear qkv_;
  Linear attention_out_;
  LayerNorm norm2_;
  Mlp mlp_;
};

}  // namespace terminus::models::nn
