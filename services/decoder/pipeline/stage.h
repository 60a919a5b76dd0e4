#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "models/decoder/step_runner.h"
#include "models/sampling/parameters.h"
#include "models/sampling/rules.h"
#include "services/decoder/scheduler/plan.h"

namespace terminus::services::decoder::pipeline {

// A token for each entry of a plan that samples, in their order. A sequence whose logits are not
// finite fails alone.
using StepTokens = std::vector<absl::StatusOr<models::sampling::Sampled>>;

struct StepResult {
  uint64_t step = 0;
  // An error concerns the whole step.
  absl::StatusOr<StepTokens> tokens;
  // Time that the stage's thread took to give the step to the device.
  absl::Duration host_time;
  // The device had nothing to do when the step was given to it.
  bool late = false;
  // The stage has lost all that it had: slots, keys and values, soft tokens. This is no step's
  // result: none of the steps in flight will have one. Later steps are executed, by plans that
  // begin anew.
  bool lost = false;
};

// The masks of a step: one for each entry that samples from a constrained slot, in their order. A
// mask has a bit for each token, lowest first, of those that are allowed; an empty one allows all.
using StepMasks = std::vector<std::vector<uint32_t>>;

// Executes steps: one process that has the whole model, or the first of several ranks, which sends
// the plans on. Steps are executed in the order in which they are submitted, and their results come
// in that order. Thread-safe.
class Stage {
 public:
  // Called on the stage's thread, once for each step. Must not block.
  using OnResult = std::function<void(StepResult)>;

  virtual ~Stage() = default;

  // Returns at once. Requires: the plan has entries, its step is greater than every earlier one,
  // and fewer than info().steps_in_flight steps have no result yet.
  virtual void Submit(scheduler::StepPlan plan) = 0;

  // Sends the masks of a step with constrained rows, without which the step does not end; the other
  // rows are sampled before. Requires: the step has been submitted, and all steps before it have
  // their results.
  virtual void SendMasks(uint64_t step, StepMasks masks) = 0;

  // Says that no step is submitted before the next result: until then the stage may hold back the
  // result of the youngest step, to launch the next one first.
  virtual void Flush() = 0;

  // Says that the loss is known (StepResult::lost): plans from now on begin anew. Plans and masks
  // that were submitted between the loss and this are dropped.
  virtual void Resume() {}

  virtual const models::decoder::RunnerInfo& info() const = 0;

  // The rules of the model's folder, which apply to every token that is sampled.
  virtual const models::sampling::LogitRules& rules() const = 0;
};

// Makes a stage that reports to `on_result`.
using StageFactory = std::function<std::unique_ptr<Stage>(Stage::OnResult on_result)>;

}  // namespace terminus::services::decoder::pipeline
