#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "models/decoder/causal_lm.h"
#include "models/decoder/stage_links.h"
#include "models/decoder/step_runner.h"
#include "models/sampling/rules.h"

namespace terminus::models::decoder {

// A StepRunner over a CausalLm, with sampling on the host. Computes inside Forward and Sample, and
// keeps the results of a step until Collect.
//
// Unlike other runners it stays usable after any error, unless it is a stage of a pipeline: a
// Forward that failed is forgotten.
class LmRunner final : public StepRunner {
 public:
  struct Options {
    // The model's device, returned by info().
    std::string device = "cpu";
    // At least 1 each; see RunnerInfo.
    int slots = 16;
    int max_tokens = 256;
    int steps_in_flight = 1;
    // Steps that are in the whole pipeline at most. Only a stage of a pipeline looks at it.
    int pipeline_steps = 1;
  };

  // `links` connect a stage of a pipeline; null where the model is first and last stage in one. A
  // model may get another runner once the first is gone, and then has lost all its sequences.
  // Requires: the last stage has the tokens of the rules.
  LmRunner(std::shared_ptr<CausalLm> lm, sampling::LogitRules rules, Options options,
           std::unique_ptr<StageLinks> links = nullptr);

  const RunnerInfo& info() const override { return info_; }
  // INVALID_ARGUMENT: there is no such slot.
  absl::Status OpenSlot(int32_t slot, const SlotState& state) override;
  absl::Status Forward(const ForwardInput& input) override;
  absl::Status Sample(absl::Span<const SampleRow> rows) override;
  absl::Status EndStep() override;
  absl::StatusOr<StepOutput> Collect() override;

 private:
  struct Slot {
    bool open = false;
    sampling::Parameters sampling;
    int32_t prompt_length = 0;
    int32_t max_length = 0;
    // Whether `tokens` is kept up to date.
    bool looks_back = false;
    std::vector<int32_t> tokens;
    int32_t last_token = 0;
  };

  // The rows of a step that the last stage samples, as the first stage waits for their tokens.
  struct Awaited {
    uint64_t step = 0;
    std::vector<int32_t> slots;
  };

  absl::Status CheckForward(const ForwardInput& input) const;
  // On the first of several stages: receives the sampled tokens that the input needs, and those
  // that have been sent long since.
  absl::Status ReceiveTokens(const ForwardInput& input);
  // Runs the layers. On the last stage there are logits then.
  absl::Status RunLayers(const ForwardInput& input);
  // Fills token_ids_ with the ids of the input, those from the sampler included.
  void ResolveTokens(const ForwardInput& input);
  absl::Status CheckRow(const SampleRow& row) const;
  absl::StatusOr<sampling::Sampled> SampleRowOf(const Slot& slot, const SampleRow& row) const;

  const std::shared_ptr<CausalLm> lm_;
  const sampling::LogitRules rules_;
  const std::unique_ptr<StageLinks> links_;
  const int pipeline_steps_;
  const RunnerInfo info_;
  std::vector<Slot> slots_;
  uint64_t steps_ = 0;
  std::deque<Awaited> awaited_;  // Oldest first.

  // Results and arrays of the last Forward. The logits' row is the index into row_slots_ and
  // row_sampled_.
  Logits logits_;
  std::vector<float> hidden_;
  std::vector<int32_t> token_ids_;
  std::vector<int32_t> logits_tokens_;
  std::vector<int32_t> row_slots_;
  std::vector<bool> row_sampled_;

  StepOutput output_;
  std::deque<StepOutput> ended_;
};

}  // namespace terminus::models::decoder
