#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "models/decoder/llama_architecture.h"
#include "models/decoder/llama_config.h"
#include "models/decoder/lm_options.h"

// The one definition of what a rank of a tensor group holds, after "Megatron-LM" (Shoeybi et al.,
// 2019). Outputs of the first map of a pair are divided (qkv by heads, gate and values by inner
// units), and so are the same inputs of the second (attention_out, down), whose results the ranks
// add up. Heads of keys and values are divided too; where there are fewer than ranks, several ranks
// have the same one. Norms are whole. Both tables of the vocabulary are divided by rows.
namespace terminus::models::decoder {

// Elements [begin, end) of a dimension.
struct Range {
  int64_t begin = 0;
  int64_t end = 0;

  int64_t size() const { return end - begin; }
};

// A rank's part of a linear map.
struct LinearSlice {
  LinearSpec whole;
  // [parts]: the rank's rows of each part's tensors.
  std::vector<Range> rows;
  // The rank's columns of every part's weight. Either all rows are the rank's, or all columns.
  Range columns;
  // Whether the rank adds the bias of its rows. Where columns are divided, only rank 0 does.
  bool bias = false;

  // Rows of all parts together.
  int64_t out() const;
};

using LayerSlice = LlamaLayer<NormSpec, LinearSlice>;

// OK, or INVALID_ARGUMENT that names every number of the model that the ranks cannot share, or the
// rank that is none of the group's.
absl::Status CheckSlice(const LlamaConfig& config, const TensorSlice& slice);

// For the functions below. Requires: CheckSlice returned OK.

// `config` with the heads, heads of keys and values, and inner units of one rank. All else is as in
// the whole model.
LlamaConfig RankConfig(const LlamaConfig& config, const TensorSlice& slice);

LayerSlice SliceLayer(const LlamaConfig& config, int layer, const TensorSlice& slice);

// Rows of the tables of each rank but the last, which may have fewer.
int64_t VocabularyPart(const LlamaConfig& config, const TensorSlice& slice);

// The rank's rows of the tables. Not empty.
Range SliceVocabulary(const LlamaConfig& config, const TensorSlice& slice);

}  // namespace terminus::models::decoder
