#pragma once

#include <memory>
#include <thread>

#include "models/decoder/lm_runner.h"
#include "services/decoder/pipeline/stage.h"
#include "services/decoder/pipeline/step_loop.h"
#include "services/decoder/testing/toy_lm.h"

namespace terminus::services::decoder::testing {

// A stage for tests, on a thread of its own that knows nothing of LibTorch.
class ThreadStage final : public pipeline::Stage {
 public:
  ThreadStage(std::unique_ptr<models::decoder::StepRunner> runner,
              models::sampling::LogitRules rules, OnResult on_result);
  ~ThreadStage() override;

  void Submit(scheduler::StepPlan plan) override { loop_.Submit(std::move(plan)); }
  void SendMasks(uint64_t step, pipeline::StepMasks masks) override {
    loop_.SendMasks(step, std::move(masks));
  }
  void Flush() override { loop_.Flush(); }
  const models::decoder::RunnerInfo& info() const override { return loop_.info(); }
  const models::sampling::LogitRules& rules() const override { return loop_.rules(); }

 private:
  pipeline::StepLoop loop_;
  std::thread thread_;
};

// Calls the body, and makes INTERNAL of an exception.
absl::Status CatchExceptions(absl::FunctionRef<absl::Status()> body);

// Stages with the toy model.
pipeline::StageFactory ToyStage(
    const ToyLm::Options& model,
    const models::decoder::LmRunner::Options& runner = {.slots = 64, .max_tokens = 1024},
    const models::sampling::LogitRules& rules = {});

}  // namespace terminus::services::decoder::testing
