#include "services/decoder/grid/rank.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/errors.h"
#include "common/base/mutex.h"
#include "common/base/status_macros.h"
#include "common/collective/factory.h"
#include "services/decoder/grid/codec.h"
#include "services/decoder/grid/runner_info.h"
#include "services/decoder/scheduler/plan.h"

namespace terminus::services::decoder::grid {
namespace {

// Takes the front's messages and gives the results back. Thread-safe.
class Session {
 public:
  Session(const RankOptions& options, Placement placement)
      : options_(options), placement_(std::move(placement)) {}

  absl::Status Run(collective::socket::Fd fd, const LoadRank& load) {
    Channel channel(
        std::move(fd), [this](Message message) { Take(std::move(message)); },
        [this](const absl::Status& why) { End(base::Annotate(why, "the front is lost")); },
        options_.channel);
    absl::Status status = Execute(channel, load);
    if (!status.ok()) {
      channel.Send({MessageType::kFailed, EncodeStatus(status)});
    }
    {
      base::MutexLock lock(mutex_);
      loop_ = nullptr;
      communicator_ = nullptr;
    }
    return status;
  }

 private:
  absl::Status Execute(Channel& channel, const LoadRank& load) {
    LoadedRank loaded;
    TERMINUS_RETURN_IF_ERROR(options_.guard([&]() -> absl::Status {
      TERMINUS_ASSIGN_OR_RETURN(loaded, load(placement_, [this] { return Meet(); }));
      return absl::OkStatus();
    }));
    const models::decoder::RunnerInfo info = loaded.runner->info();
    // All ranks of the last stage sample the same; the first of them reports it.
    const bool reports = info.samples && placement_.rank % placement_.shape.tensor == 0;
    pipeline::StepLoop loop(std::move(loaded.runner), std::move(loaded.rules), options_.guard,
                            [&](const pipeline::StepResult& result) {
                              if (!result.tokens.ok()) {
                                End(result.tokens.status());
                              } else if (reports) {
                                channel.Send({MessageType::kResult, EncodeResult(result)});
                              }
                            });
    {
      base::MutexLock lock(mutex_);
      loop_ = &loop;
      if (ended_) {
        loop.Close();
      }
    }
    channel.Send({MessageType::kReady, EncodeInfo(info)});
    loop.Run();
    base::MutexLock lock(mutex_);
    loop_ = nullptr;
    return status_;
  }

  absl::StatusOr<std::shared_ptr<collective::Communicator>> Meet() {
    TERMINUS_ASSIGN_OR_RETURN(std::shared_ptr<collective::Communicator> communicator,
                              collective::CreateSocket({.rank = placement_.rank,
                                                        .size = placement_.shape.world(),
                                                        .address = placement_.meeting,
                                                        .job = placement_.job},
                                                       absl::Now() + options_.meet_patience));
    base::MutexLock lock(mutex_);
    communicator_ = communicator;
    if (ended_) {
      return absl::CancelledError("the rank is ended");
    }
    return communicator;
  }

  void Take(Message message) {
    base::MutexLock lock(mutex_);
    if (message.type == MessageType::kClose) {
      EndLocked(absl::OkStatus());
      return;
    }
    if (loop_ == nullptr) {
      return;
    }
    switch (message.type) {
      case MessageType::kPlan: {
        absl::StatusOr<scheduler::StepPlan> plan = scheduler::DecodePlan(message.payload);
        plan.ok() ? loop_->Submit(*std::move(plan)) : EndLocked(plan.status());
        return;
      }
      case MessageType::kMasks: {
        auto masks = DecodeMasks(message.payload);
        masks.ok() ? loop_->SendMasks(masks->first, std::move(masks->second))
                   : EndLocked(masks.status());
        return;
      }
      case MessageType::kFlush:
        loop_->Flush();
        return;
      default:
        EndLocked(absl::InvalidArgumentError(
            absl::StrCat("message ", static_cast<int>(message.type), " from the front")));
    }
  }

  void End(const absl::Status& status) {
    base::MutexLock lock(mutex_);
    EndLocked(status);
  }

  // The first reason counts. Wakes whatever waits for another rank or for a plan.
  void EndLocked(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (ended_) {
      return;
    }
    ended_ = true;
    status_ = status;
    if (communicator_ != nullptr) {
      communicator_->Abort(status.ok() ? "the grid is closed" : std::string(status.message()));
    }
    if (loop_ != nullptr) {
      loop_->Close();
    }
  }

  const RankOptions& options_;
  const Placement placement_;
  base::Mutex mutex_;
  pipeline::StepLoop* loop_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::shared_ptr<collective::Communicator> communicator_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::Status RunRank(const RankOptions& options, const LoadRank& load) {
  const absl::Time deadline = absl::Now() + options.join_patience;
  TERMINUS_ASSIGN_OR_RETURN(collective::socket::Fd fd,
                            collective::socket::Connect(options.front, deadline));
  TERMINUS_ASSIGN_OR_RETURN(Placement placement,
                            Join(fd, options.secret, options.rank, options.terms, deadline));
  return Session(options, std::move(placement)).Run(std::move(fd), load);
}

}  // namespace terminus::services::decoder::grid
