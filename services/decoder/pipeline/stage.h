#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "models/sampling/sampler.h"
#include "services/decoder/scheduler/plan.h"

namespace terminus::services::decoder::pipeline {

// The results of a step: a token for each entry of its plan that samples, in their order. A
// sequence whose logits are not finite fails alone.
using StepTokens = std::vector<absl::StatusOr<models::sampling::Sampled>>;

// Executes a step's plan: one process that has the whole model, or the first of several ranks,
// which sends the plan on. Used by one thread at a time.
class Stage {
 public:
  virtual ~Stage() = default;

  // Requires: scheduler::EncodePlan made `plan`. An error concerns the whole step. May throw what
  // LibTorch throws: call it inside executor::RunGuarded.
  virtual absl::StatusOr<StepTokens> Execute(absl::string_view plan) = 0;

  virtual const scheduler::PlanBounds& bounds() const = 0;

  // The rules of the model's folder, which apply to every token that is sampled.
  virtual const models::sampling::LogitRules& rules() const = 0;
};

}  // namespace terminus::services::decoder::pipeline
