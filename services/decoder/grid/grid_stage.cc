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

// What a grid can do is what all of its ranks can.
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

absl::StatusOr<std::unique_ptr<GridStage>> GridStage::Create(Options options, Ranks ranks) {
  std::unique_ptr<GridStage> stage(new GridStage(std::move(options)));
  GridStage* const self = stage.get();
  for (auto& [rank, fd] : ranks) {
    const int number = rank;
    stage->channels_.push_back(std::make_unique<Channel>(
        std::move(fd), [self, number](Message message) { self->Take(number, std::move(message)); },
        [self, number](const absl::Status& why) {
          self->Fail(base::Annotate(why, absl::StrCat("rank ", number, " is lost")));
        },
        stage->options_.channel));
  }
  TERMINUS_RETURN_IF_ERROR(stage->WaitUntilReady());
  return stage;
}

GridStage::~GridStage() {
  {
    base::MutexLock lock(mutex_);
    closing_ = true;
  }
  SendAll({MessageType::kClose, ""});
  channels_.clear();
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

absl::Status GridStage::WaitUntilReady() {
  const absl::Time deadline = absl::Now() + options_.load_patience;
  base::MutexLock lock(mutex_);
  while (true) {
    if (!failure_.ok()) {
      return failure_;
    }
    std::vector<int> missing;
    for (size_t rank = 0; rank < ready_.size(); ++rank) {
      if (!ready_[rank].has_value()) {
        missing.push_back(static_cast<int>(rank));
      }
    }
    if (missing.empty()) {
      info_ = Common(ready_, options_.shape);
      return absl::OkStatus();
    }
    if (!changed_.WaitUntil(mutex_, deadline)) {
      return absl::DeadlineExceededError(
          absl::StrCat("ranks ", absl::StrJoin(missing, ", "), " were not ready within ",
                       absl::FormatDuration(options_.load_patience)));
    }
  }
}

void GridStage::Submit(scheduler::StepPlan plan) {
  bool failed = false;
  {
    base::MutexLock lock(mutex_);
    steps_.push_back(plan.step);
    failed = !failure_.ok();
  }
  if (failed) {
    FailSteps();
    return;
  }
  SendAll({MessageType::kPlan, scheduler::EncodePlan(plan)});
}

void GridStage::SendMasks(uint64_t step, pipeline::StepMasks masks) {
  const std::string payload = EncodeMasks(step, masks);
  for (size_t rank = 0; rank < channels_.size(); ++rank) {
    if (Samples(static_cast<int>(rank))) {
      channels_[rank]->Send({MessageType::kMasks, payload});
    }
  }
}

void GridStage::Flush() { SendAll({MessageType::kFlush, ""}); }

void GridStage::SendAll(const Message& message) {
  for (const auto& channel : channels_) {
    channel->Send(message);
  }
}

void GridStage::Take(int rank, Message message) {
  switch (message.type) {
    case MessageType::kReady: {
      auto info = DecodeInfo(message.payload);
      if (!info.ok()) {
        Fail(info.status());
        return;
      }
      base::MutexLock lock(mutex_);
      ready_[static_cast<size_t>(rank)] = *std::move(info);
      changed_.NotifyAll();
      return;
    }
    case MessageType::kFailed:
      Fail(base::Annotate(DecodeStatus(message.payload), absl::StrCat("rank ", rank)));
      return;
    case MessageType::kResult: {
      auto result = DecodeResult(message.payload);
      if (!result.ok()) {
        Fail(result.status());
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
  Fail(absl::InternalError(absl::StrCat("rank ", rank, " sent message ",
                                        static_cast<int>(message.type), " out of turn")));
}

bool GridStage::Report(pipeline::StepResult result) {
  base::MutexLock lock(mutex_);
  if (!failure_.ok()) {
    return true;
  }
  if (steps_.empty() || steps_.front() != result.step) {
    return false;
  }
  steps_.pop_front();
  on_result_(std::move(result));
  return true;
}

void GridStage::Fail(const absl::Status& why) {
  {
    base::MutexLock lock(mutex_);
    if (!failure_.ok() || closing_) {
      return;
    }
    failure_ = why;
    changed_.NotifyAll();
  }
  base::LogError(absl::StrCat("the grid has failed: ", why.message()));
  FailSteps();
  if (options_.on_failure) {
    options_.on_failure(why);
  }
}

void GridStage::FailSteps() {
  base::MutexLock lock(mutex_);
  while (!steps_.empty() && on_result_) {
    const uint64_t step = steps_.front();
    steps_.pop_front();
    on_result_({.step = step,
                .tokens = base::MakeError(absl::StatusCode::kUnavailable, base::kReasonReplicaLost,
                                          failure_.message()),
                .host_time = {}});
  }
}

}  // namespace terminus::services::decoder::grid
