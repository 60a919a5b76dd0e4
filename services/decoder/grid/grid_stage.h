#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <thread>
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
// gets every plan; the first rank of the last stage sends the results.
//
// When a rank is lost or fails, the grid says so (StepResult::lost), gathers its ranks again, and
// executes what was planned meanwhile. When it cannot, or is lost again and again without a result,
// it has failed: the steps in flight and all later ones fail with UNAVAILABLE, reason REPLICA_LOST.
class GridStage final : public pipeline::Stage {
 public:
  struct Options {
    GridShape shape;
    // The rules that the ranks apply.
    models::sampling::LogitRules rules;
    // Returns all ranks once they have joined. Called again after a loss, on a thread of the stage:
    // starts those anew that have ended, where that is up to the front, and ends those in `silent`
    // first, which hang. Ends early when `check` returns an error.
    std::function<absl::StatusOr<Ranks>(const std::set<int>& silent,
                                        const std::function<absl::Status()>& check)>
        gather;
    // Until every rank has loaded its part and met the others.
    absl::Duration load_patience = absl::Minutes(10);
    // Losses that are recovered from without the result of a step between them. 0: none is.
    int max_losses = 3;
    Channel::Options channel;
    // Called once when the grid has failed, on a thread that must not be blocked. May be null.
    std::function<void(const absl::Status&)> on_failure;
    // Freed last, after the ranks have been told to end: their processes.
    std::shared_ptr<void> processes;
  };

  // Waits until every rank is ready. The errors are those of `gather`, what a rank says of its
  // load, with its number, UNAVAILABLE where one is lost, and DEADLINE_EXCEEDED, which names those
  // that are not ready.
  static absl::StatusOr<std::unique_ptr<GridStage>> Create(Options options);

  // Tells the ranks to end, and waits for their connections to close.
  ~GridStage() override;

  // A factory that can be used once.
  static pipeline::StageFactory Factory(std::unique_ptr<GridStage> stage);

  void Submit(scheduler::StepPlan plan) override;
  void SendMasks(uint64_t step, pipeline::StepMasks masks) override;
  void Flush() override;
  void Resume() override;
  const models::decoder::RunnerInfo& info() const override { return info_; }
  const models::sampling::LogitRules& rules() const override { return options_.rules; }

 private:
  enum class State {
    kConnecting,  // For the first time, or again.
    kUp,
    kLost,
    kFailed,
  };
  // A message to the ranks; of masks only those that sample get it.
  struct Outgoing {
    Message message;
    bool masks = false;
  };

  explicit GridStage(Options options);

  // Gathers the ranks and waits until they are ready.
  absl::Status Connect();
  absl::StatusOr<models::decoder::RunnerInfo> WaitUntilReady();
  void Recover();
  void Take(int rank, Message message);
  // Gives a result on; false: it is not the next one.
  bool Report(pipeline::StepResult result);
  // A rank is lost or has failed.
  void Lose(const absl::Status& why);
  // The grid has failed.
  void Fail(const absl::Status& why);
  // The results of the steps in flight once the grid has failed.
  void FailSteps() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Sends it, or keeps it until the ranks are back.
  void SendOrHold(Outgoing outgoing) ABSL_EXCLUSIVE_LOCKS_REQUIRED(channels_mutex_);
  void Send(const Outgoing& outgoing) ABSL_EXCLUSIVE_LOCKS_REQUIRED(channels_mutex_);
  void DropChannels();

  const Options options_;
  models::decoder::RunnerInfo info_;

  // Taken before `mutex_`, never the other way round, and never by a channel's thread.
  base::Mutex channels_mutex_;
  std::vector<std::unique_ptr<Channel>> channels_ ABSL_GUARDED_BY(channels_mutex_);

  base::Mutex mutex_;
  base::CondVar changed_;
  State state_ ABSL_GUARDED_BY(mutex_) = State::kConnecting;
  // False from a loss until Resume: plans were made before the engine knew of it.
  bool resumed_ ABSL_GUARDED_BY(mutex_) = true;
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  int losses_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status trouble_ ABSL_GUARDED_BY(mutex_);  // The latest, while connecting or failed.
  OnResult on_result_ ABSL_GUARDED_BY(mutex_);
  std::vector<absl::optional<models::decoder::RunnerInfo>> ready_ ABSL_GUARDED_BY(mutex_);
  std::deque<uint64_t> steps_ ABSL_GUARDED_BY(mutex_);  // In flight, oldest first.
  std::vector<Outgoing> held_ ABSL_GUARDED_BY(mutex_);
  std::set<int> silent_ ABSL_GUARDED_BY(mutex_);  // Ranks that hung before the next gathering.

  std::thread recoverer_;
};

}  // namespace terminus::services::decoder::grid
