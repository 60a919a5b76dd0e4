#pragma once

#include <memory>
#include <vector>

#include "services/decoder/testing/toy_lm.h"

namespace terminus::services::decoder::testing {

// The toy model as the stages of a pipeline. The hidden state of a token is its id: the first stage
// makes it of the ids, the last stage gives the ids to the toy model. So a token that came to the
// first stage too late, or hidden states that were mixed up, change the answer.
class ToyPipelineStage final : public models::decoder::CausalLm {
 public:
  ToyPipelineStage(ToyLm::Options options, int stage, int stages);

  absl::StatusOr<models::decoder::Logits> Forward(const models::decoder::StepInput& input) override;
  absl::StatusOr<models::decoder::HiddenStates> ForwardHidden(
      const models::decoder::StepInput& input) override;
  bool first_stage() const override { return stage_ == 0; }
  bool last_stage() const override { return stage_ == stages_ - 1; }
  int vocab_size() const override { return lm_.vocab_size(); }
  int hidden_size() const override { return 1; }
  int max_context() const override { return lm_.max_context(); }
  int kv_blocks() const override { return lm_.kv_blocks(); }
  models::decoder::ComputeDType dtype() const override { return lm_.dtype(); }
  int64_t kv_block_bytes() const override { return lm_.kv_block_bytes(); }

 private:
  ToyLm lm_;
  const int stage_;
  const int stages_;
  std::vector<float> hidden_;
};

}  // namespace terminus::services::decoder::testing
