#pragma once

#include <cuda_runtime_api.h>

#include <vector>

#include "models/decoder/cuda/decode_attention.h"
#include "models/decoder/cuda/kernels.h"
#include "models/decoder/cuda/prefill_attention.h"
#include "models/decoder/cuda/products.h"
#include "models/decoder/cuda/step_inputs.h"
#include "models/decoder/llama_architecture.h"
#include "models/decoder/llama_config.h"

namespace terminus::models::decoder::cuda {

struct NormWeight {
  const Bf16* weight = nullptr;
};

// Activations of the largest step, allocated once.
struct Activations {
  DevicePtr<Bf16> x;         // [max_tokens, hidden]
  DevicePtr<Bf16> normed;    // [max_tokens, hidden]
  DevicePtr<Bf16> qkv;       // [max_tokens, q + 2 · kv]
  DevicePtr<Bf16> attended;  // [max_tokens, q]
  DevicePtr<Bf16> inner;     // [max_tokens, intermediate]
  DevicePtr<float> logits;   // [max_sequences, vocab]
};

// What decode attention merges long sequences in.
struct AttentionParts {
  DevicePtr<float> sums;       // [items, heads, head_dim]
  DevicePtr<float2> weights;   // [items, heads]
  DevicePtr<int32_t> arrived;  // [max_sequences, groups of query heads]
};

// All that the operations of a step stand on. Owned by the engine.
struct LayerContext {
  const LlamaConfig* config;
  const Products* products;
  const Activations* activations;
  const AttentionParts* parts;
  const float2* angles;  // [max_context, head_dim / 2]
  std::vector<KvCache> caches;
  std::vector<int> windows;  // The distinct ones, in the order of the step's lists of items.
};

// The operations of models/decoder/llama_architecture.h on a GPU, given to a stream. One object a
// step.
class LayerOps {
 public:
  // Of the layers with one window.
  struct Schedule {
    PrefillSchedule schedule;
    PrefillWorkspace workspace;
  };

  struct Step {
    StepShape shape;
    StepCapacity capacity;
    int item_capacity;
    StepPointers inputs;              // On the device.
    std::vector<Schedule> schedules;  // [windows], where there are prefills.
    const TerminusLlamaStep* soft;    // Null: no token has an embedding of its own.
    int parity;
  };

  LayerOps(const LayerContext& context, const Step& step, cudaStream_t stream)
      : context_(context), config_(*context.config), step_(step), stream_(stream) {}

  void Norm(const NormWeight& norm);
  void ProjectQkv(const Linear& linear);
  void PrepareHeads(const HeadSteps<NormWeight>& steps, int layer);
  void Attend(const LayerAttention& attention, int layer);
  void AddAttended(const Linear& linear, const NormWeight& norm);
  void ProjectGated(const Linear& linear);
  void AddInner(const Linear& linear, const NormWeight* next);

 private:
  void Decode(const LayerAttention& attention, int layer);
  void Prefill(const LayerAttention& attention, int layer);
  // In LayerContext::windows.
  int64_t WindowIndex(const LayerAttention& attention) const;
  int qkv_width() const { return config_.q_size() + 2 * config_.kv_size(); }

  const LayerContext& context_;
  const LlamaConfig& config_;
  const Step& step_;
  const cudaStream_t stream_;
};

}  // namespace terminus::models::decoder::cuda
