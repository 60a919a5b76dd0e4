#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "models/decoder/llama_architecture.h"
#include "models/decoder/llama_config.h"
#include "models/decoder/lm_options.h"

// Whether a model has room on a device, found before its weights are read. No torch in this header.
namespace terminus::models::decoder {

// Keys and values of one KV block, in bytes.
int64_t KvBlockBytes(int layers, int kv_heads, int head_dim, int64_t element_bytes);

// The numbers in all tensors of a layer.
int64_t ParameterCount(const LayerSpec& layer);

// The least that a model takes of a device's memory, in bytes.
struct MemoryNeed {
  int64_t weights = 0;
  // The activations of the largest step.
  int64_t workspace = 0;
  // Keys and values: as many as the options say, else a block for each sequence of a step.
  int64_t cache = 0;
  // CUDA graphs, where the engine leaves room for them.
  int64_t graphs = 0;

  int64_t sum() const { return weights + workspace + cache + graphs; }
};

// The need of the layers and of the slice that the options name, with weights and activations of so
// many bytes a number. A lower bound: what a device rounds up, and what it keeps beside, is not
// counted. Requires: ResolveSizes was applied to the options, and CheckSlice returned OK.
MemoryNeed NeedOf(const LlamaConfig& config, const LmOptions& options, int64_t element_bytes);

// FAILED_PRECONDITION, reason MODEL_TOO_LARGE, with the sums when the need does not fit beside what
// the device holds already. Where the options leave the cache's size to the device, 1 -
// memory_share of it stays free.
absl::Status CheckFits(const MemoryNeed& need, const DeviceMemory& memory,
                       const LmOptions& options);

}  // namespace terminus::models::decoder
