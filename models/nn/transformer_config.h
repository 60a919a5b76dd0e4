#pragma once

#include <string>

#include "common/settings/json_file.h"
#include "models/nn/transformer_block.h"

namespace terminus::models::nn {

// A stack of equal blocks.
struct TransformerConfig {
  int layers = 0;
  BlockConfig block;

  int hidden() const { return block.mlp.hidden; }
};

// Reads what the config.json of transformers' pre-norm encoders has in common: hidden_size,
// intermediate_size, num_hidden_layers, num_attention_heads, layer_norm_eps, hidden_act. What is
// absent is as in `defaults`, and so is what has no key. An intermediate size of 0 there means that
// the file has no key for it. Faults are noted in `file`.
TransformerConfig ReadTransformerConfig(settings::JsonFile& file,
                                        const TransformerConfig& defaults);

// "hidden_act" as transformers names it.
Activation ReadActivation(settings::JsonFile& file, const std::string& otherwise);

}  // namespace terminus::models::nn
