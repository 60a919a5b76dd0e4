#include "services/decoder/pipeline/lm_stage.h"

#include <utility>

#include "common/base/check.h"
#include "common/executor/guard.h"

namespace terminus::services::decoder::pipeline {

LmStage::LmStage(std::unique_ptr<models::decoder::StepRunner> runner,
                 models::sampling::LogitRules rules, OnResult on_result)
    : loop_(std::move(runner), std::move(rules), executor::RunGuarded, std::move(on_result)),
      thread_("device", /*max_queued=*/1) {
  TERMINUS_CHECK(thread_.TryRun([this] { loop_.Run(); }));
}

LmStage::~LmStage() { loop_.Close(); }

StageFactory LmStage::Factory(std::unique_ptr<models::decoder::StepRunner> runner,
                              models::sampling::LogitRules rules) {
  // Shared, because a std::function must be copyable.
  auto shared = std::make_shared<std::unique_ptr<models::decoder::StepRunner>>(std::move(runner));
  return [shared, rules = std::move(rules)](OnResult on_result) {
    return std::make_unique<LmStage>(std::move(*shared), rules, std::move(on_result));
  };
}

void LmStage::Submit(scheduler::StepPlan plan) { loop_.Submit(std::move(plan)); }

void LmStage::SendMasks(uint64_t step, StepMasks masks) { loop_.SendMasks(step, std::move(masks)); }

void LmStage::Flush() { loop_.Flush(); }

}  // namespace terminus::services::decoder::pipeline
