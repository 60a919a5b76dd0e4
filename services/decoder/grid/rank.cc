#include "services/decoder/grid/rank.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/types/optional.h"
#include "common/base/errors.h"
#include "common/base/log.h"
#include "common/base/mutex.h"
#include "common/base/status_macros.h"
#include "common/collective/factory.h"
#include "services/decoder/grid/codec.h"
#include "services/decoder/grid/runner_info.h"
#include "services/decoder/scheduler/plan.h"

namespace terminus::services::decoder::grid {
namespace {

constexpr absl::Duration kCheckPeriod = absl::Milliseconds(500);
constexpr absl::Duration kRetryPause = absl::Milliseconds(50);

// Whether a step's error says that another rank is gone, and not that this one has failed.
bool IsLoss(const absl::Status& status) {
  return status.code() == absl::StatusCode::kUnavailable ||
         status.code() == absl::StatusCode::kCancelled ||
         status.code() == absl::StatusCode::kDeadlineExceeded;
}

// One time in the grid, from the welcome to the first loss. Thread-safe.
class Session {
 public:
  Session(const RankOptions& options, Placement placement)
      : options_(options), placement_(std::move(placement)) {}

  // OK: the front has ended the grid. `*lost` says of an error that the rank may join again.
  absl::Status Run(collective::socket::Fd fd, const LoadRank& load,
                   absl::optional<LoadedRank>* loaded, bool* lost) {
    Channel channel(
        std::move(fd), [this](Message message) { Take(std::move(message)); },
        [this](const absl::Status& why) { End(base::Annotate(why, "the front is lost"), true); },
        options_.channel);
    absl::Status status = options_.guard([&] { return Execute(channel, load, loaded); });
    base::MutexLock lock(mutex_);
    if (ended_) {
      status = status_;
    }
    *lost = ended_ && lost_;
    if (!status.ok() && !*lost) {
      channel.Send({MessageType::kFailed, EncodeStatus(status)});
    }
    communicators_.clear();
    return status;
  }

 private:
  absl::Status Execute(Channel& channel, const LoadRank& load, absl::optional<LoadedRank>* loaded) {
    TERMINUS_ASSIGN_OR_RETURN(const Meeting meeting, Meet());
    if (!loaded->has_value()) {
      TERMINUS_ASSIGN_OR_RETURN(*loaded, load(placement_, meeting));
    }
    TERMINUS_ASSIGN_OR_RETURN(auto runner, (*loaded)->make_runner(meeting));
    const models::decoder::RunnerInfo info = runner->info();
    // All ranks of the last stage sample the same; the first of them reports it.
    const bool reports = info.samples && placement_.rank % placement_.shape.tensor == 0;
    pipeline::StepLoop loop(std::move(runner), (*loaded)->rules, options_.guard,
                            [&](const pipeline::StepResult& result) {
                              if (!result.tokens.ok()) {
                                End(result.tokens.status(), IsLoss(result.tokens.status()));
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
    return absl::OkStatus();
  }

  absl::StatusOr<Meeting> Meet() {
    const GridShape& shape = placement_.shape;
    Meeting meeting;
    TERMINUS_ASSIGN_OR_RETURN(meeting.world, Connect({.rank = placement_.rank,
                                                      .size = shape.world(),
                                                      .address = placement_.meeting,
                                                      .job = placement_.job}));
    if (shape.tensor == 1) {
      return meeting;
    }
    if (shape.pipeline == 1) {
      meeting.stage = meeting.world;
      return meeting;
    }
    TERMINUS_ASSIGN_OR_RETURN(
        meeting.stage,
        Connect({.rank = placement_.rank % shape.tensor,
                 .size = shape.tensor,
                 .address = absl::StrCat(placement_.meeting, ".stage", placement_.stage()),
                 .job = absl::StrCat(placement_.job, " stage ", placement_.stage())}));
    return meeting;
  }

  absl::StatusOr<std::shared_ptr<collective::Communicator>> Connect(
      const collective::Options& options) {
    absl::StatusOr<std::shared_ptr<collective::Communicator>> communicator =
        collective::CreateSocket(options, absl::Now() + options_.meet_patience);
    base::MutexLock lock(mutex_);
    if (!communicator.ok()) {
      // The others did not come, and the front knows why.
      EndLocked(communicator.status(), /*lost=*/true);
      return communicator;
    }
    communicators_.push_back(*communicator);
    if (ended_) {
      return absl::CancelledError("the rank is ended");
    }
    return communicator;
  }

  void Take(Message message) {
    base::MutexLock lock(mutex_);
    if (message.type == MessageType::kClose) {
      EndLocked(absl::OkStatus(), /*lost=*/false);
      return;
    }
    if (loop_ == nullptr) {
      return;
    }
    switch (message.type) {
      case MessageType::kPlan: {
        absl::StatusOr<scheduler::StepPlan> plan = scheduler::DecodePlan(message.payload);
        plan.ok() ? loop_->Submit(*std::move(plan)) : EndLocked(plan.status(), /*lost=*/false);
        return;
      }
      case MessageType::kMasks: {
        auto masks = DecodeMasks(message.payload);
        masks.ok() ? loop_->SendMasks(masks->first, std::move(masks->second))
                   : EndLocked(masks.status(), /*lost=*/false);
        return;
      }
      case MessageType::kFlush:
        loop_->Flush();
        return;
      default:
        EndLocked(absl::InvalidArgumentError(
                      absl::StrCat("message ", static_cast<int>(message.type), " from the front")),
                  /*lost=*/false);
    }
  }

  void End(const absl::Status& status, bool lost) {
    base::MutexLock lock(mutex_);
    EndLocked(status, lost);
  }

  // The first reason counts. Wakes whatever waits for another rank or for a plan.
  void EndLocked(const absl::Status& status, bool lost) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (ended_) {
      return;
    }
    ended_ = true;
    status_ = status;
    lost_ = lost;
    for (const auto& communicator : communicators_) {
      communicator->Abort(status.ok() ? "the grid is closed" : std::string(status.message()));
    }
    if (loop_ != nullptr) {
      loop_->Close();
    }
  }

  const RankOptions& options_;
  const Placement placement_;
  base::Mutex mutex_;
  pipeline::StepLoop* loop_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::vector<std::shared_ptr<collective::Communicator>> communicators_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  bool lost_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

// Connects to the front, and looks now and then whether that still makes sense.
absl::StatusOr<collective::socket::Fd> FindFront(const RankOptions& options, absl::Time deadline) {
  while (true) {
    if (options.check) {
      TERMINUS_RETURN_IF_ERROR(options.check());
    }
    const absl::Time look = std::min(deadline, absl::Now() + kCheckPeriod);
    absl::StatusOr<collective::socket::Fd> fd = collective::socket::Connect(options.front, look);
    if (fd.ok() || absl::Now() >= deadline) {
      return fd;
    }
  }
}

}  // namespace

absl::Status RunRank(const RankOptions& options, const LoadRank& load) {
  absl::optional<LoadedRank> loaded;
  while (true) {
    const absl::Time deadline = absl::Now() + options.join_patience;
    TERMINUS_ASSIGN_OR_RETURN(collective::socket::Fd fd, FindFront(options, deadline));
    absl::StatusOr<Placement> placement =
        Join(fd, options.secret, options.rank, options.terms, deadline);
    if (!placement.ok() && absl::IsUnavailable(placement.status()) && absl::Now() < deadline) {
      // The front has given up this round, or is gone.
      absl::SleepFor(kRetryPause);
      continue;
    }
    if (!placement.ok()) {
      return placement.status();
    }
    bool lost = false;
    const absl::Status status =
        Session(options, *std::move(placement)).Run(std::move(fd), load, &loaded, &lost);
    if (!lost) {
      return status;
    }
    if (loaded.has_value() && !loaded->survives) {
      loaded.reset();
    }
    base::LogWarning(absl::StrCat("joins again: ", status.message()));
  }
}

}  // namespace terminus::services::decoder::grid
