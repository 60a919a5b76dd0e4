#pragma once

#include <memory>
#include <vector>

#include "models/decoder/causal_lm.h"
#include "services/decoder/pipeline/stage.h"

namespace terminus::services::decoder::pipeline {

// A whole model in this process.
class LmStage : public Stage {
 public:
  // The model must be first and last stage in one.
  explicit LmStage(std::unique_ptr<models::decoder::CausalLm> lm);

  absl::StatusOr<StepTokens> Execute(absl::string_view plan) override;
  const scheduler::PlanBounds& bounds() const override { return bounds_; }

 private:
  // The step's entries one behind the other, as the model takes them; kept to reuse their memory.
  struct Batch {
    std::vector<int32_t> token_ids;
    std::vector<int32_t> positions;
    std::vector<int32_t> query_indptr;
    std::vector<int32_t> kv_indptr;
    std::vector<int32_t> kv_indices;
    std::vector<int32_t> last_page_len;
    std::vector<int32_t> logits_tokens;

    void Clear();
    void Append(const scheduler::PlanEntry& entry);
    models::decoder::StepInput View() const;
  };

  std::unique_ptr<models::decoder::CausalLm> lm_;
  const scheduler::PlanBounds bounds_;
  Batch batch_;
};

}  // namespace terminus::services::decoder::pipeline
