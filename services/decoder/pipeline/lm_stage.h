#pragma once

#include <memory>
#include <vector>

#include "models/decoder/causal_lm.h"
#include "services/decoder/pipeline/stage.h"

namespace terminus::services::decoder::pipeline {

// A whole model in this process.
class LmStage : public Stage {
 public:
  // Requires: the model is first and last stage in one, and has the tokens of the rules.
  explicit LmStage(std::unique_ptr<models::decoder::CausalLm> lm, models::sampling::LogitRules rules = {});

  absl::StatusOr<StepTokens> Execute(absl::string_view plan) override;
  const scheduler::PlanBounds& bounds() const override { return bounds_; }
  const models::sampling::LogitRules& rules() const override { return rules_; }

 private:
  // The step's entries, concatenated as the model takes them; a member to reuse their memory.
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

  absl::StatusOr<models::sampling::Sampled> Sample(const scheduler::PlanEntry& entry,
                                           absl::Span<const float> logits) const;

  std::unique_ptr<models::decoder::CausalLm> lm_;
  const models::sampling::LogitRules rules_;
  const scheduler::PlanBounds bounds_;
  Batch batch_;
};

}  // namespace terminus::services::decoder::pipeline
