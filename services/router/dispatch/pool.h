#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/batching/batch_queue.h"
#include "common/batching/cost.h"
#include "services/router/dispatch/alarm.h"
#include "services/router/dispatch/batch_call.h"
#include "services/router/dispatch/placement.h"
#include "services/router/dispatch/pool_metrics.h"

namespace terminus::services::router::dispatch {

struct PoolOptions {
  // "text" or "vision", as it shows in messages.
  std::string service;
  batching::BatchQueueOptions queue;
  // Batches outstanding at a replica before it counts as busy; 0: what the replica says.
  int max_in_flight = 0;
  // How long items wait when there is no ready replica, so that one that restarts is bridged.
  // Past it they are answered UNAVAILABLE at once.
  absl::Duration grace = absl::Seconds(2);
  // What is told to callers that were answered UNAVAILABLE.
  absl::Duration retry_delay = absl::Milliseconds(500);
  // How long a replica that says it is busy is left alone, unless it answers a batch before.
  absl::Duration busy_pause = absl::Milliseconds(5);
};

struct ReplicaSpec {
  // Its identity in the pool.
  std::string address;
  std::shared_ptr<BatchSender> sender;
  int max_in_flight = 1;
  // Called at most once, when a batch found it gone; it is out of the pool by then.
  std::function<void()> on_lost;
};

// The ready replicas of one service and the queue of items that wait for them.
//
// Work is done on the threads that bring it: Submit sends a batch at once when a replica is idle,
// and so does the answer to an earlier batch. Only what nobody would bring (deadlines, the end of
// the grace, a pause) is on a clock. A batch holds tasks of one space and names it, so that while a
// model is being replaced each is answered by its own. Every task ends in exactly one OnEncoded, at
// its deadline at the latest. Thread-safe; calls no owner, sender or replica under its lock.
class Pool {
 public:
  // With `clock` given, no thread is started and the owner calls Tick.
  Pool(const PoolOptions& options, PoolMetrics metrics, const base::Clock* clock = nullptr);
  // As Close.
  ~Pool();

  // Ends what is left, waiting tasks UNAVAILABLE, and waits until no replica has anything of it
  // any more; what is submitted later ends at once. Whoever made the replicas' channels destroys
  // them after this: a batch must not be the last to hold one, for gRPC joins its threads where the
  // last channel goes.
  void Close();

  // Items of one call enter the queue together.
  void Submit(std::vector<std::unique_ptr<EncodeTask>> tasks);

  // Some flag was raised: takes cancelled tasks out, and cancels batches that nobody waits for.
  void SweepCancelled();

  void AddReplica(ReplicaSpec spec);
  // It gets no more batches; what it has, it may still answer.
  void RemoveReplica(const std::string& address);

  // Does what is due. Returns when there will be something again.
  absl::Time Tick();

  const batching::TextCost& text_cost() const { return text_cost_; }
  batching::QueueStats stats() const;
  // Of a replica that is ready, else nothing.
  std::optional<ReplicaLoad> load(const std::string& address) const;
  // In force: as configured, else the most that a ready replica says; 0 when none is ready.
  int max_in_flight() const;
  const PoolOptions& options() const { return options_; }

 private:
  // A replica from AddReplica until it is removed or lost; its batches keep it alive longer.
  struct Replica {
    ReplicaSpec spec;
    ReplicaLoad load;
  };

  struct Flight {
    std::shared_ptr<BatchCall> call;
    std::shared_ptr<Replica> replica;
    bool cancelled = false;
  };

  struct Ended {
    std::unique_ptr<batching::Task> task;
    EncodeOutcome outcome;
  };

  // What was decided under the lock and is done after it.
  struct Work {
    std::vector<Flight> send;
    std::vector<Ended> ended;
    std::vector<Flight> cancel;
    std::vector<std::shared_ptr<Replica>> lost;
    absl::Time wake = absl::InfiniteFuture();
  };

  // Closes the next batch; nothing when there is none to send.
  std::shared_ptr<BatchCall> CloseBatch(absl::Time now, int open, int idle, Work& work)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Pump(absl::Time now, Work& work) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndDeparted(std::vector<batching::Departure> departed, Work& work);
  void EndAllUnavailable(Work& work) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // False when it was out already.
  bool Drop(const std::shared_ptr<Replica>& replica, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Time NextWake(absl::Time now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Perform(Work work);
  void Send(const Flight& flight);

  void OnAnswer(std::shared_ptr<BatchCall> call, const grpc::Status& status);
  void AnswerDone();
  Flight Land(const BatchCall& call) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The call failed: puts its tasks back where another try makes sense, ends the others.
  void Fail(const Flight& flight, const absl::Status& status, absl::Time now, Work& work)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Retry(const Flight& flight, absl::Time now, Work& work)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndAnswered(const Flight& flight, Work& work);
  absl::Status Unavailable(const EncodeTask& task) const;

  const PoolOptions options_;
  const PoolMetrics metrics_;
  const base::Clock& clock_;
  batching::TextCost text_cost_;

  mutable base::Mutex mutex_;
  base::CondVar quiet_;
  batching::BatchQueue queue_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<Replica>> replicas_ ABSL_GUARDED_BY(mutex_);
  std::vector<Flight> flights_ ABSL_GUARDED_BY(mutex_);
  // Answers that are still to come or being worked on.
  int unanswered_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t batches_sent_ ABSL_GUARDED_BY(mutex_) = 0;
  // While there is no replica: since when.
  absl::Time empty_since_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;

  std::optional<Alarm> alarm_;
};

}  // namespace terminus::services::router::dispatch
