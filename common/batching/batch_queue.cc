#include "common/batching/batch_queue.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace terminus::batching {
namespace {

TaskView ViewOf(const Task& task) {
  return {
      .cost = task.cost, .bytes = task.bytes, .deadline = task.deadline, .enqueued = task.enqueued};
}

}  // namespace

void BatchQueue::Push(std::unique_ptr<Task> task, absl::Time now) {
  task->enqueued = now;
  views_.push_back(ViewOf(*task));
  waiting_cost_ += task->cost;
  next_expiry_ = std::min(next_expiry_, Expiry(*task));
  tasks_.push_back(std::move(task));
}

void BatchQueue::PutBack(std::vector<std::unique_ptr<Task>> tasks) {
  std::vector<TaskView> views;
  views.reserve(tasks.size());
  for (const auto& task : tasks) {
    views.push_back(ViewOf(*task));
    waiting_cost_ += task->cost;
    next_expiry_ = std::min(next_expiry_, Expiry(*task));
  }
  views_.insert(views_.begin(), views.begin(), views.end());
  tasks_.insert(tasks_.begin(), std::make_move_iterator(tasks.begin()),
                std::make_move_iterator(tasks.end()));
}

bool BatchQueue::IsOver(const Task& task, absl::Time now, Departure::Reason& reason) const {
  // A deadline that passes also cancels the call at its edge: it counts as expired.
  if (Expiry(task) <= now) {
    reason = Departure::Reason::kExpired;
    return true;
  }
  reason = Departure::Reason::kCancelled;
  return task.cancel != nullptr && task.cancel->raised();
}

void BatchQueue::Sweep(absl::Time now, std::vector<Departure>& departed) {
  next_expiry_ = absl::InfiniteFuture();
  size_t kept = 0;
  for (size_t i = 0; i < tasks_.size(); ++i) {
    Departure::Reason reason;
    if (IsOver(*tasks_[i], now, reason)) {
      CountDeparture(reason);
      waiting_cost_ -= views_[i].cost;
      departed.push_back({std::move(tasks_[i]), reason});
      continue;
    }
    next_expiry_ = std::min(next_expiry_, Expiry(*tasks_[i]));
    if (kept != i) {
      tasks_[kept] = std::move(tasks_[i]);
      views_[kept] = views_[i];
    }
    ++kept;
  }
  tasks_.resize(kept);
  views_.resize(kept);
}

std::optional<Batch> BatchQueue::TakeBatch(absl::Time now, int open_replicas, int idle_replicas,
                                           std::vector<Departure>& departed) {
  if (next_expiry_ <= now) {
    Sweep(now, departed);
  }
  const BatchPlan plan = PlanBatch(options_.limits, {.now = now,
                                                     .waiting = views_,
                                                     .waiting_cost = waiting_cost_,
                                                     .open_replicas = open_replicas,
                                                     .idle_replicas = idle_replicas,
                                                     .batch_time = batch_time_});
  held_until_ = plan.held_until;
  if (plan.picks.empty()) {
    return std::nullopt;
  }
  Batch batch{.reason = plan.reason};
  batch.tasks.reserve(plan.picks.size());
  for (size_t index : plan.picks) {
    waiting_cost_ -= views_[index].cost;
    // A call cancelled a moment ago, whose sweep has not come yet.
    Departure::Reason reason;
    if (IsOver(*tasks_[index], now, reason)) {
      CountDeparture(reason);
      departed.push_back({std::move(tasks_[index]), reason});
    } else {
      batch.cost += views_[index].cost;
      batch.tasks.push_back(std::move(tasks_[index]));
    }
  }
  // Close the gaps; picks are mostly a prefix, so this is one move of the tail.
  size_t kept = plan.picks.front();
  for (size_t i = kept; i < tasks_.size(); ++i) {
    if (tasks_[i] != nullptr) {
      tasks_[kept] = std::move(tasks_[i]);
      views_[kept] = views_[i];
      ++kept;
    }
  }
  tasks_.resize(kept);
  views_.resize(kept);
  if (tasks_.empty()) {
    next_expiry_ = absl::InfiniteFuture();
  }
  if (!batch.tasks.empty()) {
    Record(batch, now);
  }
  return batch;
}

std::vector<std::unique_ptr<Task>> BatchQueue::TakeAll() {
  views_.clear();
  waiting_cost_ = 0;
  next_expiry_ = absl::InfiniteFuture();
  return std::exchange(tasks_, {});
}

void BatchQueue::CountDeparture(Departure::Reason reason) {
  ++(reason == Departure::Reason::kExpired ? totals_.expired : totals_.cancelled);
}

void BatchQueue::ObserveBatchTime(absl::Duration time) {
  batch_time_ = batch_time_ == absl::ZeroDuration() ? time : batch_time_ * 0.8 + time * 0.2;
}

void BatchQueue::Record(const Batch& batch, absl::Time now) {
  switch (batch.reason) {
    case CloseReason::kIdleReplica:
      ++totals_.closed_by_idle_replica;
      break;
    case CloseReason::kCost:
      ++totals_.closed_by_cost;
      break;
    case CloseReason::kItems:
      ++totals_.closed_by_items;
      break;
    case CloseReason::kDeadline:
      ++totals_.closed_by_deadline;
      break;
  }
  BatchRecord& record = recent_[batches_++ % kRecent];
  record = {.items = batch.tasks.size()};
  for (const auto& task : batch.tasks) {
    record.queue_time += now - task->enqueued;
  }
}

QueueStats BatchQueue::stats() const {
  QueueStats stats = totals_;
  stats.queued_items = tasks_.size();
  stats.queued_cost = waiting_cost_;
  const size_t counted = std::min(batches_, kRecent);
  size_t items = 0;
  absl::Duration queue_time;
  for (size_t i = 0; i < counted; ++i) {
    items += recent_[i].items;
    queue_time += recent_[i].queue_time;
  }
  if (counted > 0) {
    stats.mean_batch_items = static_cast<double>(items) / static_cast<double>(counted);
    stats.mean_queue_time = queue_time / static_cast<double>(items);
  }
  return stats;
}

}  // namespace terminus::batching
