#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <vector>

#include "models/decoder/cuda/decode_attention.h"
#include "models/decoder/cuda/llama_api.h"
#include "models/decoder/cuda/memory.h"

namespace terminus::models::decoder::cuda {

// Sizes that the inputs of a step are laid out for: those of the step itself or, in a graph, of its
// bucket. Equal capacities give equal places, so that a captured graph finds them.
struct StepCapacity {
  int tokens = 0;
  int sequences = 0;  // With several new tokens each.
};

// The numbers of a step that the launches depend on.
struct StepShape {
  int tokens = 0;
  int decodes = 0;   // Tokens [0, decodes) are single ones of their sequences.
  int prefills = 0;  // Sequences with several new tokens, behind them.
  int logits = 0;
};

// Pointers into one copy of the inputs, on the host or on the device.
struct StepPointers {
  int32_t* token_ids;      // [tokens]
  int32_t* slots;          // [tokens]
  int32_t* positions;      // [tokens]
  int32_t* kv_rows;        // [tokens]
  int32_t* logits_rows;    // [sequences of the limits]: the token of each row of the logits.
  int32_t* query_indptr;   // [prefills + 1], from 0.
  int32_t* kv_indptr;      // [prefills + 1]
  int32_t* last_page_len;  // [prefills]
  int32_t* item_counts;    // [windows]
  DecodeItem* items;       // [windows, item capacity]
  int32_t* kv_indices;     // Last: as many as there are.
};

// What the layout depends on, once for an engine.
struct StepLimits {
  int max_sequences = 0;
  int max_tokens = 0;
  int kv_blocks = 0;
  int64_t max_kv_indices = 0;
  // Thread blocks of decode attention for each group of query heads that the device runs at a time.
  int attention_parts = 1;
  std::vector<int> windows;  // The distinct ones of the layers; 0: none.
  bool poison = false;       // Inputs of no use are such that a kernel that used them would fail.
};

// Items of `tokens` single tokens at most.
int ItemCapacity(const StepLimits& limits, int tokens);

// Writes the inputs of steps to pinned memory and copies them to the device. Two copies on the
// host, so that one can be written while the device still reads the other.
class StepInputs {
 public:
  explicit StepInputs(StepLimits limits);

  // Builds the step in host copy `parity`, padded to `capacity`, and gives the copy to the stream.
  // Single tokens come first, whatever their order in `step`. Requires: the copy that used this
  // parity before is done; the step is valid and fits the capacity.
  StepShape Write(const TerminusLlamaStep& step, const StepCapacity& capacity, int parity,
                  cudaStream_t stream);

  // Where a step of this capacity lies on the device.
  StepPointers OnDevice(const StepCapacity& capacity) const;
  // Host copies of what a schedule is made of.
  StepPointers OnHost(const StepCapacity& capacity, int parity) const;

  // Row of each of the last step's logits_tokens among its tokens.
  const std::vector<int32_t>& logits_rows() const { return logits_rows_; }
  // Row of a token of the last step.
  int RowOf(const TerminusLlamaStep& step, int token) const;

  const StepLimits& limits() const { return limits_; }

 private:
  struct Sequence;

  StepPointers Pointers(uint8_t* base, const StepCapacity& capacity) const;
  void WriteTokens(const TerminusLlamaStep& step, int sequence, int first_row,
                   const StepPointers& host) const;
  int WriteItems(const TerminusLlamaStep& step, int window, DecodeItem* items);
  void Pad(int tokens, const StepCapacity& capacity, const StepPointers& host) const;

  StepLimits limits_;
  size_t bytes_ = 0;
  DevicePtr<uint8_t> device_;
  PinnedPtr<uint8_t> host_[2];
  std::vector<int32_t> decodes_;   // Sequences with one new token.
  std::vector<int32_t> prefills_;  // The others.
  std::vector<int32_t> logits_rows_;
  std::vector<int32_t> first_row_;  // By sequence: the row of its first token.
};

}  // namespace terminus::models::decoder::cuda
