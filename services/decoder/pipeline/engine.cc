#include "services/decoder/pipeline/engine.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "common/base/check.h"
#include "common/base/errors.h"
#include "common/executor/guard.h"

namespace terminus::services::decoder::pipeline {
namespace {

int ContextOf(const scheduler::PlanBounds& bounds) {
  return std::min(bounds.max_context, bounds.kv_blocks * bounds.block_tokens);
}

}  // namespace

Engine::Engine(Options options, std::unique_ptr<Stage> stage, EngineMetrics& metrics)
    : max_sequences_(options.limits.max_sequences),
      max_context_(ContextOf(stage->bounds())),
      metrics_(metrics),
      stage_(std::move(stage)),
      sequences_({.limits = options.limits,
                  .max_context = max_context_,
                  .kv_blocks = stage_->bounds().kv_blocks,
                  .eos_token_ids = std::move(options.eos_token_ids),
                  .rules = stage_->rules()},
                 metrics),
      device_("device", /*max_queued=*/1) {
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
  Post([this, id] {
    sequences_.End(id,
                   base::MakeError(absl::StatusCode::kCancelled, base::kReasonCancelled,
                                   "the caller cancelled"),
                   absl::Now());
  });
}

void Engine::Stop(uint64_t id, int choice) {
  Post([this, id, choice] { sequences_.Stop(id, choice, absl::Now()); });
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
  // Whether those inside have been told that it ends; a step may still be under way then.
  bool told = false;
  while (true) {
    std::vector<std::function<void()>> messages;
    bool closed = false;
    {
      base::MutexLock lock(mutex_);
      const absl::Time deadline = sequences_.next_deadline();
      while (inbox_.empty() && !woken_ && !(closed_ && !(told && step_under_way_)) &&
             changed_.WaitUntil(mutex_, deadline)) {
      }
      messages.swap(inbox_);
      woken_ = false;
      closed = closed_;
    }
    for (const std::function<void()>& message : messages) {
      message();
    }
    sequences_.Expire(absl::Now());
    if (closed) {
      sequences_.EndAll(base::MakeError(absl::StatusCode::kUnavailable, base::kReasonReplicaLost,
                                        "the decoder is shutting down"),
                        absl::Now());
      told = true;
    }
    if (!step_under_way_) {
      if (closed) {
        return;
      }
      StartStep();
    }
  }
}

void Engine::StartStep() {
  absl::optional<scheduler::StepPlan> plan = sequences_.Plan(absl::Now());
  if (!plan.has_value()) {
    return;
  }
  int tokens = 0;
  for (const scheduler::PlanEntry& entry : plan->entries) {
    tokens += static_cast<int>(entry.tokens.size());
  }
  step_under_way_ = true;
  // There is never more than one step, so there is room.
  TERMINUS_CHECK(device_.TryRun(
      [this, tokens, bytes = scheduler::EncodePlan(*plan)] { ExecuteStep(bytes, tokens); }));
}

void Engine::ExecuteStep(const std::string& plan, int tokens) {
  const absl::Time start = absl::Now();
  absl::StatusOr<StepTokens> result = absl::InternalError("not executed");
  const absl::Status status = executor::RunGuarded([&] {
    result = stage_->Execute(plan);
    return result.status();
  });
  if (!status.ok()) {
    result = status;
  }
  metrics::Observe(metrics_.step_seconds, absl::Now() - start);
  metrics_.step_tokens.Observe(tokens);
  Post([this, result = std::move(result)] {
    step_under_way_ = false;
    sequences_.Apply(result, absl::Now());
  });
}

}  // namespace terminus::services::decoder::pipeline
