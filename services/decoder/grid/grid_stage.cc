#include "services/decoder/grid/grid_stage.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "common/base/errors.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "services/decoder/grid/codec.h"
#include "services/decoder/grid/runner_info.h"

namespace terminus::services::decoder::grid {
namespace {

// The limits that all ranks of a grid can keep.
models::decoder::RunnerInfo Common(
    const std::vector<absl::optional<models::decoder::RunnerInfo>>& ranks, const GridShape& shape) {
  models::decoder::RunnerInfo info = *ranks.front();
  info.kv_block_bytes = 0;
  for (const auto& rank : ranks) {
    info.kv_blocks = std::min(info.kv_blocks, rank->kv_blocks);
    info.slots = std::min(info.slots, rank->slots);
    info.max_tokens = std::min(info.max_tokens, rank->max_tokens);
    info.kv_block_bytes += rank->kv_block_bytes;
  }
  info.stages = shape.pipeline;
  info.steps_in_flight = Placement{.shape = shape}.steps();
  info.samples = true;
  return info;
}

}  // namespace

GridStage::GridStage(Options options)
    : options_(std::move(options)), ready_(static_cast<size_t>(options_.shape.world())) {}

absl::StatusOr<std::unique_ptr<GridStage>> GridStage::Create(Options options) {
  std::unique_ptr<GridStage> stage(new GridStage(std::move(options)));
  TERMINUS_RETURN_IF_ERROR(stage->Connect());
  stage->recoverer_ = std::thread([self = stage.get()] { self->Recover(); });
  return stage;
}

GridStage::~GridStage() {
  {
    base::MutexLock lock(mutex_);
    closing_ = true;
  }
  changed_.NotifyAll();
  if (recoverer_.joinable()) {
    recoverer_.join();
  }
  {
    base::MutexLock lock(channels_mutex_);
    Send({.message = {MessageType::kClose, ""}});
  }
  DropChannels();
}

pipeline::StageFactory GridStage::Factory(std::unique_ptr<GridStage> stage) {
  // Shared, because a std::function must be copyable.
  auto shared = std::make_shared<std::unique_ptr<GridStage>>(std::move(stage));
  return [shared](OnResult on_result) -> std::unique_ptr<pipeline::Stage> {
    {
      base::MutexLock lock((*shared)->mutex_);
      (*shared)->on_result_ = std::move(on_result);
    }
    return std::move(*shared);
  };
}

absl::Status GridStage::Connect() {
  std::set<int> silent;
  {
    base::MutexLock lock(mutex_);
    trouble_ = absl::OkStatus();
    ready_.assign(ready_.size(), absl::nullopt);
    silent.swap(silent_);
  }
  TERMINUS_ASSIGN_OR_RETURN(Ranks ranks, options_.gather(silent, [this] {
    base::MutexLock lock(mutex_);
    return closing_ ? absl::CancelledError("the grid is closed") : absl::OkStatus();
  }));
  {
    base::MutexLock lock(channels_mutex_);
    for (auto& [rank, fd] : ranks) {
      const int number = rank;
      channels_.push_back(std::make_unique<Channel>(
          std::move(fd), [this, number](Message message) { Take(number, std::move(message)); },
          [this, number](const absl::Status& why) {
            if (absl::IsDeadlineExceeded(why)) {
              base::MutexLock lock(mutex_);
              silent_.insert(number);
            }
            Lose(base::Annotate(why, absl::StrCat("rank ", number, " is lost")));
          },
          options_.channel));
    }
  }
  TERMINUS_ASSIGN_OR_RETURN(const models::decoder::RunnerInfo info, WaitUntilReady());
  base::MutexLock channels_lock(channels_mutex_);
  base::MutexLock lock(mutex_);
  if (info_.kv_blocks == 0) {
    info_ = info;
  } else if (info.kv_blocks < info_.kv_blocks || info.slots < info_.slots ||
             info.max_tokens < info_.max_tokens) {
    return absl::FailedPreconditionError(
        absl::StrCat("the ranks came back with ", info.kv_blocks, " KV blocks, ", info.slots,
                     " slots and ", info.max_tokens, " tokens a step, fewer than before"));
  }
  state_ = State::kUp;
  for (const Outgoing& outgoing : std::exchange(held_, {})) {
    Send(outgoing);
  }
  return absl::OkStatus();
}

absl::StatusOr<models::decoder::RunnerInfo> GridStage::WaitUntilReady() {
  const absl::Time deadline = absl::Now() + options_.load_patience;
  base::MutexLock lock(mutex_);
  while (true) {
    if (!trouble_.ok()) {
      return trouble_;
    }
    if (closing_) {
      return absl::CancelledError("the grid is closed");
    }
    std::vector<int> missing;
    for (size_t rank = 0; rank < ready_.size(); ++rank) {
      if (!ready_[rank].has_value()) {
        missing.push_back(static_cast<int>(rank));
      }
    }
    if (missing.empty()) {
      return Common(ready_, options_.shape);
    }
    if (!changed_.WaitUntil(mutex_, deadline)) {
      return absl::DeadlineExceededError(
          absl::StrCat("ranks ", absl::StrJoin(missing, ", "), " were not ready within ",
                       absl::FormatDuration(options_.load_patience)));
    }
  }
}

void GridStage::Recover() {
  while (true) {
    {
      base::MutexLock lock(mutex_);
      while (state_ != State::kLost && !closing_) {
        changed_.Wait(mutex_);
      }
      if (closing_) {
        return;
      }
      state_ = State::kConnecting;
    }
    const absl::Time begin = absl::Now();
    absl::Status status;
    for (int attempt = 0; attempt < options_.max_losses; ++attempt) {
      DropChannels();
      status = Connect();
      base::MutexLock lock(mutex_);
      if (status.ok() || closing_) {
        break;
      }
    }
    if (!status.ok()) {
      Fail(status);
    } else {
      base::LogInfo(
          absl::StrCat("the grid is back after ", absl::FormatDuration(absl::Now() - begin)));
    }
  }
}

void GridStage::DropChannels() {
  std::vector<std::unique_ptr<Channel>> channels;
  {
    base::MutexLock lock(channels_mutex_);
    channels.swap(channels_);
  }
  // Without the lock: their threads may be about to report something.
  channels.clear();
}

void GridStage::Submit(scheduler::StepPlan plan) {
  base::MutexLock channels_lock(channels_mutex_);
  {
    base::MutexLock lock(mutex_);
    if (!resumed_) {
      return;
    }
    steps_.push_back(plan.step);
    if (state_ == State::kFailed) {
      FailSteps();
      return;
    }
  }
  SendOrHold({.message = {MessageType::kPlan, scheduler::EncodePlan(plan)}});
}

void GridStage::SendMasks(uint64_t step, pipeline::StepMasks masks) {
  base::MutexLock channels_lock(channels_mutex_);
  {
    base::MutexLock lock(mutex_);
    if (std::find(steps_.begin(), steps_.end(), step) == steps_.end()) {
      return;
    }
  }
  SendOrHold({.message = {MessageType::kMasks, EncodeMasks(step, masks)}, .masks = true});
}

void GridStage::Flush() {
  base::MutexLock channels_lock(channels_mutex_);
  SendOrHold({.message = {MessageType::kFlush, ""}});
}

void GridStage::Resume() {
  base::MutexLock lock(mutex_);
  resumed_ = true;
}

void GridStage::SendOrHold(Outgoing outgoing) {
  {
    base::MutexLock lock(mutex_);
    if (state_ != State::kUp) {
      // One flush says as much as several.
      const bool repeats = !held_.empty() && outgoing.message.type == MessageType::kFlush &&
                           held_.back().message.type == MessageType::kFlush;
      if (resumed_ && state_ != State::kFailed && !repeats) {
        held_.push_back(std::move(outgoing));
      }
      return;
    }
  }
  Send(outgoing);
}

void GridStage::Send(const Outgoing& outgoing) {
  const auto first_sampler =
      static_cast<size_t>((options_.shape.pipeline - 1) * options_.shape.tensor);
  for (size_t rank = outgoing.masks ? first_sampler : 0; rank < channels_.size(); ++rank) {
    channels_[rank]->Send(outgoing.message);
  }
}

void GridStage::Take(int rank, Message message) {
  switch (message.type) {
    case MessageType::kReady: {
      auto info = DecodeInfo(message.payload);
      if (!info.ok()) {
        Lose(info.status());
        return;
      }
      base::MutexLock lock(mutex_);
      ready_[static_cast<size_t>(rank)] = *std::move(info);
      changed_.NotifyAll();
      return;
    }
    case MessageType::kFailed:
      Lose(base::Annotate(DecodeStatus(message.payload), absl::StrCat("rank ", rank)));
      return;
    case MessageType::kResult: {
      auto result = DecodeResult(message.payload);
      if (!result.ok()) {
        Lose(result.status());
        return;
      }
      if (!Report(*std::move(result))) {
        break;
      }
      return;
    }
    default:
      break;
  }
  Lose(absl::InternalError(absl::StrCat("rank ", rank, " sent message ",
                                        static_cast<int>(message.type), " out of turn")));
}

bool GridStage::Report(pipeline::StepResult result) {
  base::MutexLock lock(mutex_);
  if (state_ != State::kUp) {
    return true;
  }
  if (steps_.empty() || steps_.front() != result.step) {
    return false;
  }
  losses_ = 0;
  steps_.pop_front();
  on_result_(std::move(result));
  return true;
}

void GridStage::Lose(const absl::Status& why) {
  {
    base::MutexLock lock(mutex_);
    if (closing_ || state_ == State::kFailed || state_ == State::kLost) {
      return;
    }
    if (state_ == State::kConnecting) {
      trouble_.Update(why);
      changed_.NotifyAll();
      return;
    }
    if (++losses_ <= options_.max_losses) {
      base::LogWarning(absl::StrCat("the grid gathers again: ", why.message()));
      state_ = State::kLost;
      steps_.clear();
      held_.clear();
      // Before there is an engine, nothing has been planned that could be out of date.
      resumed_ = !on_result_;
      if (on_result_) {
        on_result_({.tokens = absl::UnavailableError(why.message()), .lost = true});
      }
      changed_.NotifyAll();
      return;
    }
  }
  Fail(why);
}

void GridStage::Fail(const absl::Status& why) {
  {
    base::MutexLock lock(mutex_);
    if (closing_ || state_ == State::kFailed) {
      return;
    }
    state_ = State::kFailed;
    trouble_ = why;
    held_.clear();
    FailSteps();
  }
  base::LogError(absl::StrCat("the grid has failed: ", why.message()));
  if (options_.on_failure) {
    options_.on_failure(why);
  }
}

void GridStage::FailSteps() {
  while (!steps_.empty()) {
    const uint64_t step = steps_.front();
    steps_.pop_front();
    on_result_({.step = step,
                .tokens = base::MakeError(absl::StatusCode::kUnavailable, base::kReasonReplicaLost,
                                          trouble_.message())});
  }
}

}  // namespace terminus::services::decoder::grid
