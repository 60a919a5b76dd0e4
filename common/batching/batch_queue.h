#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "common/batching/policy.h"
#include "common/batching/task.h"

namespace terminus::batching {

struct BatchQueueOptions {
  BatchLimits limits;
  // A task is over once less than this is left until its deadline.
  absl::Duration min_time_left = absl::Milliseconds(1);
};

// A task that left without being executed.
struct Departure {
  enum class Reason { kExpired, kCancelled };
  std::unique_ptr<Task> task;
  Reason reason;
};

struct Batch {
  // In order of arrival; may be empty when all that was planned had been cancelled.
  std::vector<std::unique_ptr<Task>> tasks;
  int64_t cost = 0;
  CloseReason reason = CloseReason::kIdleReplica;
};

struct QueueStats {
  size_t queued_items = 0;
  int64_t queued_cost = 0;
  uint64_t closed_by_idle_replica = 0;
  uint64_t closed_by_cost = 0;
  uint64_t closed_by_items = 0;
  uint64_t closed_by_deadline = 0;
  uint64_t expired = 0;
  uint64_t cancelled = 0;
  // Over the last 128 batches.
  double mean_batch_items = 0;
  absl::Duration mean_queue_time;
};

// The tasks of one (model, modality, shape bucket) that wait for a replica. Not thread-safe, holds
// no thread and reads no clock: the owner says what time it is. Unbounded by itself; whoever pushes
// holds a permit for each task.
//
// Invariant: views_[i] describes tasks_[i], and waiting_cost_ is the sum of their costs.
class BatchQueue {
 public:
  explicit BatchQueue(const BatchQueueOptions& options) : options_(options) {}

  void Push(std::unique_ptr<Task> task, absl::Time now);

  // Tasks of a batch that could not be executed, back to where they came from: the front.
  void PutBack(std::vector<std::unique_ptr<Task>> tasks);

  // Closes the next batch, if the policy wants one. What had expired or been cancelled is appended
  // to `departed` and is in no batch.
  std::optional<Batch> TakeBatch(absl::Time now, int open_replicas, int idle_replicas,
                                 std::vector<Departure>& departed);

  // Takes out all that has expired by `now` or been cancelled.
  void Sweep(absl::Time now, std::vector<Departure>& departed);

  // Takes out everything.
  std::vector<std::unique_ptr<Task>> TakeAll();

  // When Sweep next finds something expired. Not later than that, but may be earlier.
  absl::Time next_expiry() const { return next_expiry_; }

  // When TakeBatch closes the batch that it has just not closed, if nothing changes until then.
  absl::Time held_until() const { return held_until_; }

  // Feeds the estimate by which deadlines are judged: from being sent to being answered.
  void ObserveBatchTime(absl::Duration time);

  bool empty() const { return tasks_.empty(); }
  QueueStats stats() const;

 private:
  static constexpr size_t kRecent = 128;
  struct BatchRecord {
    size_t items = 0;
    absl::Duration queue_time;
  };

  absl::Time Expiry(const Task& task) const { return task.deadline - options_.min_time_left; }
  bool IsOver(const Task& task, absl::Time now, Departure::Reason& reason) const;
  void CountDeparture(Departure::Reason reason);
  void Record(const Batch& batch, absl::Time now);

  const BatchQueueOptions options_;
  std::vector<TaskView> views_;
  std::vector<std::unique_ptr<Task>> tasks_;
  int64_t waiting_cost_ = 0;
  absl::Time next_expiry_ = absl::InfiniteFuture();
  absl::Time held_until_ = absl::InfiniteFuture();
  absl::Duration batch_time_;
  // Totals since the start; queued_* and the means are filled in by stats().
  QueueStats totals_;
  std::array<BatchRecord, kRecent> recent_;
  size_t batches_ = 0;
};

}  // namespace terminus::batching
