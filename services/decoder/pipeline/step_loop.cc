#include "services/decoder/pipeline/step_loop.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"

namespace terminus::services::decoder::pipeline {

StepLoop::StepLoop(std::unique_ptr<models::decoder::StepRunner> runner,
                   models::sampling::LogitRules rules, Guard guard, Stage::OnResult on_result)
    : runner_(std::move(runner)),
      rules_(std::move(rules)),
      guard_(std::move(guard)),
      on_result_(std::move(on_result)),
      table_(runner_->info(), rules_) {}

void StepLoop::Submit(scheduler::StepPlan plan) {
  {
    base::MutexLock lock(mutex_);
    queue_.push_back(std::move(plan));
    flushed_ = false;
  }
  changed_.NotifyOne();
}

void StepLoop::SendMasks(uint64_t step, StepMasks masks) {
  {
    base::MutexLock lock(mutex_);
    masks_[step] = std::move(masks);
  }
  changed_.NotifyOne();
}

void StepLoop::Flush() {
  {
    base::MutexLock lock(mutex_);
    flushed_ = true;
  }
  changed_.NotifyOne();
}

void StepLoop::Close() {
  {
    base::MutexLock lock(mutex_);
    closed_ = true;
  }
  changed_.NotifyOne();
}

void StepLoop::Run() {
  while (true) {
    Move move = Move::kWait;
    scheduler::StepPlan plan;
    StepMasks masks;
    {
      base::MutexLock lock(mutex_);
      while ((move = NextMove()) == Move::kWait) {
        changed_.Wait(mutex_);
      }
      if (move == Move::kLaunch) {
        plan = std::move(queue_.front());
        queue_.pop_front();
      } else if (move == Move::kApplyMasks) {
        masks = std::move(masks_.extract(unmasked_->id).mapped());
      }
    }
    switch (move) {
      case Move::kLaunch:
        Launch(plan);
        break;
      case Move::kApplyMasks:
        ApplyMasks(masks);
        break;
      case Move::kCollect:
        Collect();
        break;
      case Move::kWait:
      case Move::kReturn:
        return;
    }
  }
}

StepLoop::Move StepLoop::NextMove() const {
  if (closed_) {
    return Move::kReturn;
  }
  if (unmasked_.has_value()) {
    if (masks_.count(unmasked_->id) > 0) {
      return Move::kApplyMasks;
    }
    return launched_.empty() ? Move::kWait : Move::kCollect;
  }
  const bool full = launched_.size() == static_cast<size_t>(info().steps_in_flight);
  if (!queue_.empty() && !full) {
    return Move::kLaunch;
  }
  return full || (flushed_ && !launched_.empty()) ? Move::kCollect : Move::kWait;
}

void StepLoop::Launch(const scheduler::StepPlan& plan) {
  const absl::Time begin = absl::Now();
  Step step{.id = plan.step};
  step.status = guard_([&] { return Start(plan, step); });
  step.host_time = absl::Now() - begin;
  if (step.status.ok() && step.constrained) {
    unmasked_ = std::move(step);
  } else {
    launched_.push_back(std::move(step));
  }
}

absl::Status StepLoop::Start(const scheduler::StepPlan& plan, Step& step) {
  TERMINUS_RETURN_IF_ERROR(table_.Apply(plan));
  for (const scheduler::OpenedSlot& opened : plan.opened) {
    TERMINUS_RETURN_IF_ERROR(runner_->OpenSlot(opened.slot, {.sampling = opened.sampling,
                                                             .prompt_length = opened.prompt_length,
                                                             .max_length = opened.max_length,
                                                             .tokens = opened.tokens}));
  }
  TERMINUS_RETURN_IF_ERROR(runner_->Forward(table_.input()));
  if (!info().samples) {
    return runner_->EndStep();
  }
  step.rows.assign(table_.rows().begin(), table_.rows().end());
  std::vector<models::decoder::SampleRow> plain;
  for (size_t i = 0; i < step.rows.size(); ++i) {
    if (step.rows[i].constrained) {
      step.constrained = true;
    } else {
      plain.push_back({.row = static_cast<int32_t>(i), .length = step.rows[i].length});
    }
  }
  if (!plain.empty()) {
    TERMINUS_RETURN_IF_ERROR(runner_->Sample(plain));
  }
  return step.constrained ? absl::OkStatus() : runner_->EndStep();
}

void StepLoop::ApplyMasks(const StepMasks& masks) {
  const absl::Time begin = absl::Now();
  Step step = *std::move(unmasked_);
  unmasked_.reset();
  step.status = guard_([&] { return SampleConstrained(masks, step); });
  step.host_time += absl::Now() - begin;
  launched_.push_back(std::move(step));
}

absl::Status StepLoop::SampleConstrained(const StepMasks& masks, const Step& step) {
  const auto words = static_cast<size_t>((info().vocab_size + 31) / 32);
  std::vector<models::decoder::SampleRow> rows;
  for (size_t i = 0; i < step.rows.size(); ++i) {
    if (!step.rows[i].constrained) {
      continue;
    }
    if (rows.size() == masks.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("step ", step.id, ": ", masks.size(), " masks are too few"));
    }
    const std::vector<uint32_t>& mask = masks[rows.size()];
    if (!mask.empty() && mask.size() != words) {
      return absl::InvalidArgumentError(
          absl::StrCat("step ", step.id, ": a mask of ", mask.size(), " words, expected ", words));
    }
    rows.push_back({.row = static_cast<int32_t>(i),
                    .length = step.rows[i].length,
                    .mask = mask.empty() ? nullptr : mask.data()});
  }
  TERMINUS_RETURN_IF_ERROR(runner_->Sample(rows));
  return runner_->EndStep();
}

void StepLoop::Collect() {
  const Step step = std::move(launched_.front());
  launched_.pop_front();
  absl::StatusOr<StepTokens> tokens = absl::InternalError("not collected");
  absl::Status status = step.status;
  bool late = false;
  if (status.ok()) {
    status = guard_([&]() -> absl::Status {
      TERMINUS_ASSIGN_OR_RETURN(models::decoder::StepOutput output, runner_->Collect());
      late = output.late;
      tokens = TokensOf(step, std::move(output));
      return tokens.status();
    });
  }
  if (!status.ok()) {
    tokens = status;
  }
  on_result_(
      {.step = step.id, .tokens = std::move(tokens), .host_time = step.host_time, .late = late});
}

absl::StatusOr<StepTokens> StepLoop::TokensOf(const Step& step,
                                              models::decoder::StepOutput output) {
  StepTokens tokens(step.rows.size(), absl::InternalError("the runner gave no token"));
  for (models::decoder::StepOutput::Row& row : output.rows) {
    if (row.row < 0 || static_cast<size_t>(row.row) >= tokens.size()) {
      return absl::InternalError(
          absl::StrCat("the runner gave row ", row.row, " of ", tokens.size()));
    }
    tokens[static_cast<size_t>(row.row)] = std::move(row.sampled);
  }
  return tokens;
}

}  // namespace terminus::services::decoder::pipeline
