#pragma once

#include "absl/status/status.h"
#include "models/decoder/llama_config.h"

// Plans for a decoder over several devices. No torch in this folder: a plan needs no weights.
namespace terminus::models::parallel {

// `pipeline` stages, each of which has some of the layers, by `tensor` ranks, each of which has a
// slice of every matrix of its stage. One rank computes on one device.
struct Grid {
  int pipeline = 1;
  int tensor = 1;

  int ranks() const { return pipeline * tensor; }
  // The ranks of a stage are numbered one behind the other.
  int RankOf(int stage, int tensor_rank) const { return stage * tensor + tensor_rank; }
  int StageOf(int rank) const { return rank / tensor; }
  int TensorRankOf(int rank) const { return rank % tensor; }
};

// INVALID_ARGUMENT, with the number and what it must divide, unless the grid can hold the model:
// at most a stage for each layer; `tensor` divides the query heads and the intermediate size, and
// it divides the KV heads or is a multiple of their number.
absl::Status CheckGrid(const decoder::LlamaConfig& config, const Grid& grid);

// The shapes of one tensor rank: its query heads, KV heads, intermediate size and rows of the
// vocabulary (the last rank may have fewer). Where there are more ranks than KV heads, several
// ranks have the same one. Norms, the hidden size and the number of layers stay. Requires:
// CheckGrid accepted a grid with this `tensor`.
decoder::LlamaConfig TensorShare(const decoder::LlamaConfig& config, int tensor);

}  // namespace terminus::models::parallel
