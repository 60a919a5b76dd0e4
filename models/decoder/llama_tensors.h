#pragma once

#include <string>

#include "common/weights/tensor_names.h"
#include "models/checkpoint/weights.h"
#include "models/decoder/llama_config.h"

namespace terminus::models::decoder {

// How checkpoints write the names of a LlamaForCausalLM's tensors: those of a LlamaModel, which has
// no head, lack the prefix.
extern const weights::TensorNames kLlamaNames;

// The names of the two tables of the vocabulary, [vocab_size, hidden_size] each.
struct LlamaTables {
  std::string embedding;
  std::string head;  // The same where one table is both.
};

// As transformers ties them: a checkpoint without the one has the other in its place, where the
// config ties them. Where the file has both and they differ, both count, whatever the config says.
// Where it does not tie them, a table that is missing is a fault of `weights`.
LlamaTables FindTables(const LlamaConfig& config, const checkpoint::Weights& weights);

// Notes all tensors of the model, so that no stage and no slice of it warns of those that other
// ranks read.
void SkipTensorsOfOthers(const LlamaConfig& config, checkpoint::Weights& weights);

}  // namespace terminus::models::decoder
