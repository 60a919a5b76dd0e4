#pragma once

#include <ATen/ATen.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "models/checkpoint/weights.h"
#include "models/decoder/causal_lm.h"
#include "models/decoder/cuda/llama_api.h"
#include "models/decoder/llama_architecture.h"
#include "models/decoder/llama_config.h"
#include "models/decoder/lm_options.h"
#include "models/decoder/step_runner.h"
#include "models/sampling/rules.h"

namespace terminus::models::decoder {

// The decoder engine on a GPU: bfloat16, paged, two steps in flight. Its kernels and its memory are
// models/decoder/cuda's, in libterminus_cuda.so.
//
// As a StepRunner it samples on the device, unless the folder has rules that the device cannot
// apply: those rows are sampled on the host, step by step. As a CausalLm, for what is done before
// serving, it waits for each step and copies the logits; the two are not used at the same time.
class CudaLlama final : public CausalLm, public StepRunner {
 public:
  // The model's tensors as the engine takes them, bfloat16 on the device.
  struct Tensors {
    struct Linear {
      at::Tensor weight;
      at::Tensor bias;  // Undefined: none.
    };
    std::vector<LlamaLayer<at::Tensor, Linear>> layers;
    at::Tensor embedding;
    at::Tensor final_norm;
    at::Tensor head;
  };

  // OK, or UNIMPLEMENTED: what of the model the engine does not compute.
  static absl::Status Supports(const LlamaConfig& config, const LayerRange& layers);

  // Faults are noted in `weights`.
  static Tensors LoadTensors(const LlamaConfig& config, at::Device device,
                             checkpoint::Weights& weights);

  // Allocates all memory: FAILED_PRECONDITION says by the sums why it does not fit. Requires:
  // Supports(config, options.layers).
  static absl::StatusOr<std::unique_ptr<CudaLlama>> Create(const LlamaConfig& config,
                                                           const LmOptions& options,
                                                           at::Device device, Tensors tensors);
  ~CudaLlama() override;

  // Of the model's folder. Requires: no slot was opened.
  void SetRules(sampling::LogitRules rules);

  absl::StatusOr<Logits> Forward(const StepInput& input) override;
  absl::StatusOr<HiddenStates> ForwardHidden(const StepInput& input) override;
  bool first_stage() const override { return true; }
  bool last_stage() const override { return true; }
  int vocab_size() const override { return info_.vocab_size; }
  int hidden_size() const override { return info_.hidden_size; }
  int max_context() const override { return info_.max_context; }
  int kv_blocks() const override { return info_.kv_blocks; }
  ComputeDType dtype() const override { return ComputeDType::kBFloat16; }
  int64_t kv_block_bytes() const override { return info_.kv_block_bytes; }
  bool takes_soft_tokens() const override { return true; }

  const RunnerInfo& info() const override { return info_; }
  absl::Status OpenSlot(int32_t slot, const SlotState& state) override;
  absl::Status Forward(const ForwardInput& input) override;
  absl::Status Sample(absl::Span<const SampleRow> rows) override;
  absl::Status EndStep() override;
  absl::StatusOr<StepOutput> Collect() override;

 private:
  // What the host keeps of a slot. All but top_logprobs only where it samples.
  struct Slot {
    SlotState state;  // Without tokens.
    std::vector<int32_t> tokens;
  };

  // A step between EndStep and Collect.
  struct Step {
    std::vector<int32_t> rows;                  // Sampled on the device, in order.
    std::vector<StepOutput::Row> host_results;  // Instead, where the host samples.
  };

  CudaLlama(const LlamaConfig& config, const LmOptions& options, Tensors tensors,
            const TerminusLlamaApi* api);

  // One call of the table, its error as a status.
  template <class Function, class... Arguments>
  absl::Status Call(Function function, const Arguments&... arguments);
  absl::Status Start(const TerminusLlamaModel& model, const LmOptions& options, at::Device device);
  absl::Status CheckSizes(const StepInput& input, size_t sequences) const;
  // Gives a checked step to the device.
  absl::Status Submit(const StepInput& input, absl::Span<const int32_t> token_ids,
                      absl::Span<const int32_t> slots);
  absl::Status SampleOnHost(const SampleRow& row);

  const LlamaConfig config_;
  const Tensors tensors_;
  const TerminusLlamaApi* const api_;
  TerminusLlama* engine_ = nullptr;
  RunnerInfo info_;
  int max_sequences_ = 0;
  sampling::LogitRules rules_;
  bool samples_on_device_ = true;
  std::string error_;

  std::vector<Slot> slots_;
  std::vector<int32_t> row_slots_;  // Of the last Forward's logits.
  std::vector<int32_t> logits_tokens_;
  std::vector<int32_t> checked_ids_;
  std::vector<uint32_t> masks_;
  std::vector<TerminusSamplingRow> rows_;
  std::vector<TerminusLlamaSoft> soft_;
  std::vector<float> logits_;
  Step step_;
  std::deque<Step> ended_;
};

}  // namespace terminus::models::decoder
