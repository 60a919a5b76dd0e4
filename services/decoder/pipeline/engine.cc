#include "services/decoder/pipeline/engine.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "common/base/check.h"
#include "common/base/errors.h"
#include "models/decoder/kv_view.h"

namespace terminus::services::decoder::pipeline {
namespace {

scheduler::StepLimits InStages(scheduler::StepLimits limits, int stages) {
  limits.stages = stages;
  return limits;
}

int ContextOf(const models::decoder::RunnerInfo& info) {
  return std::min(info.max_context, info.kv_blocks * models::decoder::kKvBlockTokens);
}

}  // namespace

Engine::Engine(Options options, const StageFactory& make_stage, EngineMetrics& metrics)
    : max_sequences_(options.limits.max_sequences),
      clock_(*options.clock),
      metrics_(metrics),
      stage_(make_stage([this](StepResult result) {
        Post([this, result = std::move(result)] { EndStep(result); });
      })),
      max_context_(ContextOf(stage_->info())),
      sequences_({.limits = InStages(options.limits, stage_->info().stages),
                  .max_context = max_context_,
                  .kv_blocks = stage_->info().kv_blocks,
                  .slots = stage_->info().slots,
                  .eos_token_ids = std::move(options.eos_token_ids),
                  .rules = stage_->rules()},
                 metrics),
      mask_pool_("masks", options.mask_threads, /*max_queued=*/64) {
  TERMINUS_CHECK(options.limits.token_budget <= stage_->info().max_tokens);
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "engine");
    Run();
  });
}

Engine::~Engine() {
  {
    base::MutexLock lock(mutex_);
    closed_ = true;
  }
  changed_.NotifyAll();
  thread_.join();
}

uint64_t Engine::Submit(Generation generation) {
  // Ids must arrive in ascending order, so they are given out under the inbox's lock.
  auto shared = std::make_shared<Generation>(std::move(generation));
  uint64_t id = 0;
  {
    base::MutexLock lock(mutex_);
    id = ++last_id_;
    inbox_.push_back([this, id, shared] { sequences_.Add(id, std::move(*shared)); });
  }
  changed_.NotifyOne();
  return id;
}

void Engine::Cancel(uint64_t id) {
  const absl::Time asked = clock_.Now();
  Post([this, id, asked] { sequences_.Cancel(id, asked, clock_.Now()); });
}

void Engine::Stop(uint64_t id, int choice) {
  Post([this, id, choice] { sequences_.Stop(id, choice, clock_.Now()); });
}

void Engine::Wake() {
  {
    base::MutexLock lock(mutex_);
    woken_ = true;
  }
  changed_.NotifyOne();
}

void Engine::Post(std::function<void()> message) {
  {
    base::MutexLock lock(mutex_);
    inbox_.push_back(std::move(message));
  }
  changed_.NotifyOne();
}

void Engine::Run() {
  // Whether all generations have been ended because the engine is closed.
  bool ended = false;
  while (true) {
    std::vector<std::function<void()>> messages;
    const bool open = Receive(ended, messages);
    for (const std::function<void()>& message : messages) {
      message();
    }
    sequences_.Expire(clock_.Now());
    if (open) {
      StartSteps();
    } else {
      sequences_.EndAll(base::MakeError(absl::StatusCode::kUnavailable, base::kReasonReplicaLost,
                                        "the decoder is shutting down"),
                        clock_.Now());
      ended = true;
      // Nothing is planned any more: a time that has passed would be waited for again and again.
      plan_at_ = absl::InfiniteFuture();
      if (sequences_.steps_in_flight() == 0) {
        return;
      }
      stage_->Flush();
    }
    MakeMasks();
  }
}

bool Engine::Receive(bool ended, std::vector<std::function<void()>>& messages) {
  base::MutexLock lock(mutex_);
  // Measured by the engine's clock, waited for by the real one.
  const absl::Time deadline =
      absl::Now() + (std::min(sequences_.next_deadline(), plan_at_) - clock_.Now());
  while (inbox_.empty() && !woken_ && (!closed_ || ended) && changed_.WaitUntil(mutex_, deadline)) {
  }
  messages.swap(inbox_);
  woken_ = false;
  return !closed_;
}

void Engine::StartSteps() {
  plan_at_ = absl::InfiniteFuture();
  while (sequences_.steps_in_flight() < stage_->info().steps_in_flight) {
    if (planned_.size() == 1 && stage_->info().steps_in_flight == 2) {
      const absl::Time not_before = pacer_.NotBefore(planned_.back().step, step_begin_);
      if (clock_.Now() < not_before) {
        plan_at_ = not_before;
        return;
      }
    }
    if (!StartStep()) {
      if (sequences_.steps_in_flight() > 0) {
        stage_->Flush();
      }
      return;
    }
  }
}

bool Engine::StartStep() {
  const absl::Time now = clock_.Now();
  absl::optional<scheduler::StepPlan> plan = sequences_.Plan(now);
  if (!plan.has_value()) {
    return false;
  }
  size_t tokens = 0;
  size_t decodes = 0;
  for (const scheduler::PlanEntry& entry : plan->entries) {
    tokens += entry.tokens.size();
    decodes += entry.tokens.size() == 1 ? 1 : 0;
  }
  const StepPacer::Step step = {.decodes = decodes == plan->entries.size() ? decodes : 0,
                                .first = planned_.empty()};
  metrics_.step_tokens.Observe(static_cast<double>(tokens));
  if (sequences_.steps_in_flight() == 1) {
    step_begin_ = now;
  }
  stage_->Submit(*std::move(plan));
  planned_.push_back({.plan_time = clock_.Now() - now, .step = step});
  return true;
}

void Engine::EndStep(const StepResult& result) {
  const absl::Time now = clock_.Now();
  if (result.lost) {
    planned_.clear();
    sequences_.Lose(now);
    stage_->Resume();
    return;
  }
  metrics::Observe(metrics_.step_seconds, now - step_begin_);
  pacer_.End(planned_.front().step, step_begin_, now, result.late);
  step_begin_ = now;
  sequences_.Apply(result, now);
  metrics::Observe(metrics_.step_host_seconds,
                   planned_.front().plan_time + result.host_time + (clock_.Now() - now));
  planned_.pop_front();
}

void Engine::MakeMasks() {
  // After a loss, masks of a step that is gone may still be under way, and use constraints that the
  // next masks need.
  if (making_masks_) {
    return;
  }
  absl::optional<Sequences::MaskWork> work = sequences_.TakeMaskWork();
  if (!work.has_value()) {
    return;
  }
  making_masks_ = true;
  // There is one such task at a time, so there is room.
  TERMINUS_CHECK(mask_pool_.TrySchedule([this, work = *std::move(work)] {
    StepMasks masks(work.rows.size());
    mask_pool_.ParallelFor(static_cast<int>(masks.size()), [&](int row) {
      masks[static_cast<size_t>(row)] = MakeMask(work.rows[static_cast<size_t>(row)]);
    });
    stage_->SendMasks(work.step, std::move(masks));
    Post([this] { making_masks_ = false; });
  }));
}

std::vector<uint32_t> Engine::MakeMask(const Sequences::MaskRow& row) {
  std::vector<uint32_t> mask;
  if (row.constraint == nullptr) {
    return mask;
  }
  const absl::Time begin = clock_.Now();
  mask.resize(static_cast<size_t>((stage_->info().vocab_size + 31) / 32));
  const absl::Status status = row.constraint->Advance(row.tokens, absl::MakeSpan(mask));
  metrics::Observe(metrics_.mask_seconds, clock_.Now() - begin);
  if (!status.ok()) {
    // Arrives before the step's result, whose token is dropped then.
    Post([this, id = row.id, status] { sequences_.End(id, status, clock_.Now()); });
    mask.clear();
  }
  return mask;
}

}  // namespace terminus::services::decoder::pipeline
