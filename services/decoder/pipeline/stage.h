#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/decoder/sampling/sampler.h"
#include "services/decoder/scheduler/plan.h"

namespace terminus::services::decoder::pipeline {

// What came of a step: a token for each entry of its plan that samples, in their order. A sequence
// whose logits are no numbers fails alone.
using StepTokens = std::vector<absl::StatusOr<sampling::Sampled>>;

// The way from a step's plan to its tokens: one process that has the whole model, or the first of
// several ranks, which sends the plan on. Used by one thread at a time.
class Stage {
 public:
  virtual ~Stage() = default;

  // `plan` is what scheduler::EncodePlan made. An error concerns the whole step. May throw what
  // LibTorch throws: call it inside executor::RunGuarded.
  virtual absl::StatusOr<StepTokens> Execute(absl::string_view plan) = 0;

  virtual const scheduler::PlanBounds& bounds() const = 0;
};

}  // namespace terminus::services::decoder::pipeline
