#include "services/decoder/testing/toy_stage.h"

#include <utility>

namespace terminus::services::decoder::testing {

using models::decoder::HiddenStates;
using models::decoder::Logits;
using models::decoder::StepInput;

ToyPipelineStage::ToyPipelineStage(ToyLm::Options options, int stage, int stages)
    : lm_(std::move(options)), stage_(stage), stages_(stages) {}

absl::StatusOr<Logits> ToyPipelineStage::Forward(const StepInput& input) {
  if (first_stage()) {
    return lm_.Forward(input);
  }
  const std::vector<int32_t> ids(input.hidden_states.begin(), input.hidden_states.end());
  StepInput step = input;
  step.token_ids = ids;
  step.hidden_states = {};
  return lm_.Forward(step);
}

absl::StatusOr<HiddenStates> ToyPipelineStage::ForwardHidden(const StepInput& input) {
  if (first_stage()) {
    hidden_.assign(input.token_ids.begin(), input.token_ids.end());
  } else {
    hidden_.assign(input.hidden_states.begin(), input.hidden_states.end());
  }
  return HiddenStates{
      .tokens = static_cast<int>(hidden_.size()), .hidden_size = 1, .values = hidden_};
}

}  // namespace terminus::services::decoder::testing
