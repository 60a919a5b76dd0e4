#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "common/base/mutex.h"
#include "models/sampling/rules.h"
#include "services/decoder/grid/channel.h"
#include "services/decoder/grid/grid.h"
#include "services/decoder/pipeline/stage.h"

namespace terminus::services::decoder::grid {

// A grid of ranks, as its front sees it: a Stage whose steps run in other processes. Every rank
// gets every plan; the first rank of the last stage sends the results. A rank that is lost, or that
// fails, ends the grid: the steps in flight and all later ones fail with UNAVAILABLE, reason
// REPLICA_LOST.
class GridStage final : public pipeline::Stage {
 public:
  struct Options {
    GridShape shape;
    // The rules that the ranks apply.
    models::sampling::LogitRules rules;
    // Until every rank has loaded its part and met the others.
    absl::Duration load_patience = absl::Minutes(10);
    Channel::Options channel;
    // Called once when the grid fails, on a thread that must not be blocked. May be null.
    std::function<void(const absl::Status&)> on_failure;
    // Freed last, after the ranks have been told to end: their processes.
    std::shared_ptr<void> processes;
  };

  // Waits until every rank is ready. The errors are what a rank says of its load, with its number,
  // UNAVAILABLE where one is lost, and DEADLINE_EXCEEDED, which names those that are not ready.
  static absl::StatusOr<std::unique_ptr<GridStage>> Create(Options options, Ranks ranks);

  // Tells the ranks to end, and waits for their connections to close.
  ~GridStage() override;

  // A factory that can be used once.
  static pipeline::StageFactory Factory(std::unique_ptr<GridStage> stage);

  void Submit(scheduler::StepPlan plan) override;
  void SendMasks(uint64_t step, pipeline::StepMasks masks) override;
  void Flush() override;
  const models::decoder::RunnerInfo& info() const override { return info_; }
  const models::sampling::LogitRules& rules() const override { return options_.rules; }

 private:
  explicit GridStage(Options options);

  absl::Status WaitUntilReady();
  void Take(int rank, Message message);
  // Gives a result on; false: it is not the next one.
  bool Report(pipeline::StepResult result);
  void Fail(const absl::Status& why);
  void SendAll(const Message& message);
  // The results of the steps in flight once the grid has failed.
  void FailSteps();
  bool Samples(int rank) const {
    return rank / options_.shape.tensor == options_.shape.pipeline - 1;
  }

  const Options options_;
  models::decoder::RunnerInfo info_;

  base::Mutex mutex_;
  base::CondVar changed_;
  OnResult on_result_ ABSL_GUARDED_BY(mutex_);
  std::vector<absl::optional<models::decoder::RunnerInfo>> ready_ ABSL_GUARDED_BY(mutex_);
  std::deque<uint64_t> steps_ ABSL_GUARDED_BY(mutex_);  // In flight, oldest first.
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;

  // Last: their threads use what is above.
  std::vector<std::unique_ptr<Channel>> channels_;
};

}  // namespace terminus::services::decoder::grid
