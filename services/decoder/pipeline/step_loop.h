#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "common/base/mutex.h"
#include "models/decoder/step_runner.h"
#include "services/decoder/pipeline/stage.h"
#include "services/decoder/scheduler/slot_table.h"

namespace terminus::services::decoder::pipeline {

// Executes plans on a StepRunner: a Stage without the thread. Run is called once, on the thread
// that owns the device. The other functions may be called on any thread; Stage says what they do.
//
// A step is launched (its forward pass, then the sampling of rows without a mask) as soon as fewer
// than steps_in_flight steps are between launch and result. Else the oldest result is collected. So
// with two steps in flight, step n+1 is launched before step n is collected.
class StepLoop {
 public:
  // Calls `body` and makes a status of what it throws.
  using Guard = std::function<absl::Status(absl::FunctionRef<absl::Status()> body)>;

  StepLoop(std::unique_ptr<models::decoder::StepRunner> runner, models::sampling::LogitRules rules,
           Guard guard, Stage::OnResult on_result);

  void Submit(scheduler::StepPlan plan);
  void SendMasks(uint64_t step, StepMasks masks);
  void Flush();

  // Executes steps until Close is called.
  void Run();

  // Makes Run return after the runner's call that is under way. Steps without a result get none.
  void Close();

  const models::decoder::RunnerInfo& info() const { return runner_->info(); }
  const models::sampling::LogitRules& rules() const { return rules_; }

 private:
  struct Step {
    uint64_t id = 0;
    // The launch's status. If it is not OK, there is nothing to collect.
    absl::Status status;
    std::vector<scheduler::SlotTable::Row> rows;
    bool constrained = false;
    absl::Duration host_time;
  };
  enum class Move { kWait, kLaunch, kApplyMasks, kCollect, kReturn };

  Move NextMove() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Launch(const scheduler::StepPlan& plan);
  absl::Status Start(const scheduler::StepPlan& plan, Step& step);
  void ApplyMasks(const StepMasks& masks);
  absl::Status SampleConstrained(const StepMasks& masks, const Step& step);
  void Collect();
  static absl::StatusOr<StepTokens> TokensOf(const Step& step, models::decoder::StepOutput output);

  const std::unique_ptr<models::decoder::StepRunner> runner_;
  const models::sampling::LogitRules rules_;
  const Guard guard_;
  const Stage::OnResult on_result_;

  // All three belong to the thread of Run. `launched_` has the steps that only need to be
  // collected, oldest first; `unmasked_` is the step after them, which waits for its masks.
  scheduler::SlotTable table_;
  std::deque<Step> launched_;
  absl::optional<Step> unmasked_;

  base::Mutex mutex_;
  base::CondVar changed_;
  std::deque<scheduler::StepPlan> queue_ ABSL_GUARDED_BY(mutex_);
  // By step. Another rank may have ended a step that this one still has to mask, so that masks of
  // the next step come early.
  std::map<uint64_t, StepMasks> masks_ ABSL_GUARDED_BY(mutex_);
  bool flushed_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace terminus::services::decoder::pipeline
