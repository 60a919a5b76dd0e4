#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

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
  void EndStep();
  void Wait();

  const float* logits() const { return activations_.logits.get(); }
  const int32_t* logits_rows() const { return logits_rows_.data(); }
  int32_t* last_tokens() const { return last_tokens_.get(); }
  cudaStream_t stream() const { return stream_.get(); }
  TerminusLlamaMemory memory() const { return memory_; }

 private:
  using Layer = LlamaLayer<NormWeight, Linear>;

  void ReadModel(const TerminusLlamaModel& model);
  void AllocateCache(int kv_blocks);
  void AllocateActivations(const TerminusLlamaLimits& limits);
  void MakeAngles(const TerminusLlamaModel& model);
  StepLimits MakeStepLimits(const TerminusLlamaLimits& limits) const;
  void Tune(const TerminusLlamaLimits& limits);
  void CaptureGraphs(int slots);
  // Gives all kernels of a step to the stream. With `all_logits` each token has a row of logits,
  // else those of the step's list.
  void Launch(const LayerOps::Step& step, bool all_logits);
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
  DevicePtr<int32_t> last_tokens_;  // [slots]
  LayerContext context_;
  std::unique_ptr<StepInputs> inputs_;
  DevicePtr<uint8_t> partial_;  // PrefillWorkspace's.
  DevicePtr<uint8_t> schedule_;
  PinnedPtr<uint8_t> pinned_schedules_[2];
  std::map<int, GraphExec> graphs_;  // By bucket.
  TerminusLlamaMemory memory_ = {};

  std::vector<int32_t> logits_rows_;
  Event done_[2];  // Behind the steps of even and of odd number.
  uint64_t begun_ = 0;
  uint64_t waited_ = 0;
};

}  // namespace terminus::models::decoder::cuda
