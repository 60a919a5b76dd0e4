#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "models/cuda/sampling/device_sampler.h"
#include "models/decoder/cuda/layer_ops.h"
#include "models/decoder/cuda/llama_api.h"
#include "models/decoder/cuda/memory.h"
#include "models/decoder/cuda/products.h"
#include "models/decoder/cuda/step_inputs.h"

namespace terminus::models::decoder::cuda {

struct DestroyStream {
  void operator()(cudaStream_t stream) const { cudaStreamDestroy(stream); }
};
struct DestroyEvent {
  void operator()(cudaEvent_t event) const { cudaEventDestroy(event); }
};
struct DestroyGraph {
  void operator()(cudaGraphExec_t graph) const { cudaGraphExecDestroy(graph); }
};
using Stream = std::unique_ptr<CUstream_st, DestroyStream>;
using Event = std::unique_ptr<CUevent_st, DestroyEvent>;
using GraphExec = std::unique_ptr<CUgraphExec_st, DestroyGraph>;

// The decoder engine behind llama_api.h: one model, or one stage of it, on one GPU. All memory is
// allocated by the constructor. Steps of single tokens run as CUDA graphs, one for each bucket of
// batch sizes; others are launched kernel by kernel. Functions throw std::exception.
class Engine {
 public:
  Engine(const TerminusLlamaModel& model, const TerminusLlamaLimits& limits);

  void Forward(const TerminusLlamaStep& step);
  void OpenSlot(int32_t slot, const sampling::SlotSampling& sampling,
                const sampling::TokenRule* rules, const int32_t* tokens, int32_t token_count);
  void Sample(const TerminusSamplingRow* rows, int count, const uint32_t* masks, int mask_count);
  void EndStep();
  TerminusLlamaResults Wait();

  void CopyLogits(int row, float* logits);
  void SetToken(int32_t slot, int32_t token);

  TerminusLlamaMemory memory() const { return memory_; }

 private:
  using Layer = LlamaLayer<NormWeight, Linear>;

  void ReadModel(const TerminusLlamaModel& model);
  // Takes limits.kv_blocks, or what the memory that is left allows.
  void AllocateCache(const TerminusLlamaLimits& limits);
  void AllocateActivations(const TerminusLlamaLimits& limits);
  void AllocateSampling(const TerminusLlamaLimits& limits);
  void MakeAngles(const TerminusLlamaModel& model);
  StepLimits MakeStepLimits(const TerminusLlamaLimits& limits) const;
  void Tune(const TerminusLlamaLimits& limits);
  // With numbers as they come in products, for trials.
  void FillFromWeights(Bf16* data, size_t count);
  void CaptureGraphs(int max_sequences);
  // Gives all kernels of a step to the stream. With `all_logits` each token has a row of logits,
  // else those of the step's list.
  void Launch(const LayerOps::Step& step, bool all_logits);
  // Gives tokens embeddings of their own, behind those of their ids.
  void CopySoft(const TerminusLlamaStep& step, int parity);
  LayerOps::Step MakeStep(const StepShape& shape, const StepCapacity& capacity) const;
  std::vector<LayerOps::Schedule> PlanPrefills(const StepShape& shape, const StepPointers& host,
                                               int parity);
  // A host copy of the step's inputs that the device is done with.
  int NextParity();

  int device_;
  LlamaConfig config_;
  std::vector<Layer> layers_;
  const Bf16* embedding_;
  NormWeight final_norm_;
  Linear head_;

  Stream stream_;
  Products products_;
  Activations activations_;
  AttentionParts parts_;
  DevicePtr<float2> angles_;
  DevicePtr<Bf16> cache_;
  LayerContext context_;
  std::unique_ptr<StepInputs> inputs_;
  DevicePtr<uint8_t> partial_;  // PrefillWorkspace's.
  DevicePtr<uint8_t> schedule_;
  size_t partial_bytes_ = 0;
  size_t schedule_bytes_ = 0;  // For each window.
  HopperPlanner hopper_planner_;
  PinnedPtr<uint8_t> pinned_schedules_[2];
  std::map<int, GraphExec> graphs_;  // By bucket.
  TerminusLlamaMemory memory_ = {};

  // What sampling reads and writes on the host, of steps of even and of odd number. The device
  // reads rows and writes results where they are: a copy takes longer than the few bytes.
  struct SamplingCopies {
    PinnedPtr<TerminusSamplingRow> rows;        // [max_sequences]
    PinnedPtr<uint32_t> masks;                  // [max_sequences, mask words]
    PinnedPtr<TerminusSamplingResult> results;  // [max_sequences]
    PinnedPtr<TerminusTopLogprob> top;          // [max_sequences, TERMINUS_MAX_TOP_LOGPROBS]
    int count = 0;                              // Rows so far.
    int masked = 0;                             // Masks so far.
    bool has_top = false;
    bool late = false;  // TerminusLlamaResults'.
  };

  std::unique_ptr<models::cuda::DeviceSampler> sampler_;
  int mask_words_ = 0;
  int max_sequences_ = 0;
  std::vector<int32_t> top_logprobs_;  // [slots]
  DevicePtr<uint32_t> masks_;
  DevicePtr<TerminusTopLogprob> top_;
  SamplingCopies copies_[2];
  PinnedPtr<Bf16> soft_[2];           // [max_tokens, hidden]
  std::vector<int32_t> logits_rows_;  // Where row i of the last step's logits_tokens lies.

  Event done_[2];  // Behind the steps of even and of odd number.
  uint64_t begun_ = 0;
  uint64_t waited_ = 0;
};

}  // namespace terminus::models::decoder::cuda
