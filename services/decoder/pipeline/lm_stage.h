#pragma once

#include <memory>

#include "common/executor/device_thread.h"
#include "services/decoder/pipeline/stage.h"
#include "services/decoder/pipeline/step_loop.h"

namespace terminus::services::decoder::pipeline {

// A whole model in this process, with the thread that owns its device.
class LmStage final : public Stage {
 public:
  // `rules` are those that the runner applies. Requires: it has their tokens.
  LmStage(std::unique_ptr<models::decoder::StepRunner> runner, models::sampling::LogitRules rules,
          OnResult on_result);
  // Waits for the runner's call that is under way. Steps without a result get none.
  ~LmStage() override;

  // A factory that can be used once.
  static StageFactory Factory(std::unique_ptr<models::decoder::StepRunner> runner,
                              models::sampling::LogitRules rules);

  void Submit(scheduler::StepPlan plan) override;
  void SendMasks(uint64_t step, StepMasks masks) override;
  void Flush() override;
  const models::decoder::RunnerInfo& info() const override { return loop_.info(); }
  const models::sampling::LogitRules& rules() const override { return loop_.rules(); }

 private:
  StepLoop loop_;
  // Last, so that it is joined before what it uses goes.
  executor::DeviceThread thread_;
};

}  // namespace terminus::services::decoder::pipeline
