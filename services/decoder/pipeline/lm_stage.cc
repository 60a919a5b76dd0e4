#include "services/decoder/pipeline/lm_stage.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/status_macros.h"

namespace terminus::services::decoder::pipeline {
namespace {

constexpr int kBlockTokens = models::decoder::kKvBlockTokens;

int32_t Size(const std::vector<int32_t>& values) { return static_cast<int32_t>(values.size()); }

}  // namespace

LmStage::LmStage(std::unique_ptr<models::decoder::CausalLm> lm, models::sampling::LogitRules rules)
    : lm_(std::move(lm)),
      rules_(std::move(rules)),
      bounds_{.vocab_size = lm_->vocab_size(),
              .max_context = lm_->max_context(),
              .kv_blocks = lm_->kv_blocks(),
              .block_tokens = kBlockTokens} {
  TERMINUS_CHECK(lm_->first_stage() && lm_->last_stage());
}

void LmStage::Batch::Clear() {
  for (std::vector<int32_t>* values : {&token_ids, &positions, &query_indptr, &kv_indptr,
                                       &kv_indices, &last_page_len, &logits_tokens}) {
    values->clear();
  }
  query_indptr.push_back(0);
  kv_indptr.push_back(0);
}

void LmStage::Batch::Append(const scheduler::PlanEntry& entry) {
  const int32_t tokens = Size(entry.tokens);
  token_ids.insert(token_ids.end(), entry.tokens.begin(), entry.tokens.end());
  for (int32_t i = 0; i < tokens; ++i) {
    positions.push_back(entry.first_position + i);
  }
  query_indptr.push_back(Size(token_ids));
  kv_indices.insert(kv_indices.end(), entry.blocks.begin(), entry.blocks.end());
  kv_indptr.push_back(Size(kv_indices));
  last_page_len.push_back((entry.first_position + tokens - 1) % kBlockTokens + 1);
  if (entry.sample) {
    logits_tokens.push_back(Size(token_ids) - 1);
  }
}

models::decoder::StepInput LmStage::Batch::View() const {
  models::decoder::StepInput input;
  input.token_ids = token_ids;
  input.positions = positions;
  input.query_indptr = query_indptr;
  input.kv = {.indptr = kv_indptr, .indices = kv_indices, .last_page_len = last_page_len};
  input.logits_tokens = logits_tokens;
  return input;
}

absl::StatusOr<StepTokens> LmStage::Execute(absl::string_view plan_bytes) {
  TERMINUS_ASSIGN_OR_RETURN(const scheduler::StepPlan plan,
                            scheduler::DecodePlan(plan_bytes, bounds_));
  batch_.Clear();
  for (const scheduler::PlanEntry& entry : plan.entries) {
    batch_.Append(entry);
  }
  TERMINUS_ASSIGN_OR_RETURN(const models::decoder::Logits logits, lm_->Forward(batch_.View()));
  const size_t rows = batch_.logits_tokens.size();
  const auto width = static_cast<size_t>(logits.vocab_size);
  if (static_cast<size_t>(logits.rows) != rows || logits.values.size() != rows * width) {
    return absl::InternalError(
        absl::StrCat("the model gave logits of ", logits.rows, " tokens, expected ", rows));
  }
  StepTokens tokens;
  for (const scheduler::PlanEntry& entry : plan.entries) {
    if (entry.sample) {
      tokens.push_back(Sample(entry, logits.values.subspan(tokens.size() * width, width)));
    }
  }
  return tokens;
}

absl::StatusOr<models::sampling::Sampled> LmStage::Sample(const scheduler::PlanEntry& entry,
                                                  absl::Span<const float> logits) const {
  const int length = entry.first_position + Size(entry.tokens);
  std::vector<int32_t> known;
  if (models::sampling::LooksBack(rules_, entry.sampling)) {
    if (Size(entry.earlier) != entry.first_position) {
      return absl::InvalidArgumentError(absl::StrCat(
          "step plan: ", entry.earlier.size(), " earlier tokens, expected ", entry.first_position));
    }
    known = entry.earlier;
    known.insert(known.end(), entry.tokens.begin(), entry.tokens.end());
  }
  return models::sampling::Sample(logits, entry.sampling, static_cast<uint64_t>(length), rules_,
                          {.tokens = known,
                           .length = length,
                           .prompt_length = entry.prompt_tokens,
                           .max_length = entry.max_length});
}

}  // namespace terminus::services::decoder::pipeline
