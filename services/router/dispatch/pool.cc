#include "services/router/dispatch/pool.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/errors.h"

namespace terminus::services::router::dispatch {

Pool::Pool(const PoolOptions& options, PoolMetrics metrics, const base::Clock* clock)
    : options_(options),
      metrics_(metrics),
      clock_(clock != nullptr ? *clock : base::RealClock::Get()),
      queue_(options.queue),
      empty_since_(clock_.Now()) {
  if (clock == nullptr) {
    alarm_.emplace([this] { return Tick(); });
  }
}

Pool::~Pool() {
  Close();
  // Until the last answer was in, it might have been set; and a tick sets it too.
  if (alarm_) {
    alarm_->Stop();
  }
}

void Pool::Close() {
  Work work;
  {
    base::MutexLock lock(mutex_);
    closed_ = true;
    EndAllUnavailable(work);
    for (const Flight& flight : flights_) {
      work.cancel.push_back(flight);
    }
  }
  Perform(std::move(work));
  base::MutexLock lock(mutex_);
  while (unanswered_ > 0) {
    quiet_.Wait(mutex_);
  }
}

void Pool::Submit(std::vector<std::unique_ptr<EncodeTask>> tasks) {
  Work work;
  {
    base::MutexLock lock(mutex_);
    const absl::Time now = clock_.Now();
    for (auto& task : tasks) {
      queue_.Push(std::move(task), now);
    }
    Pump(now, work);
  }
  Perform(std::move(work));
}

void Pool::SweepCancelled() {
  Work work;
  {
    base::MutexLock lock(mutex_);
    const absl::Time now = clock_.Now();
    std::vector<batching::Departure> departed;
    queue_.Sweep(now, departed);
    EndDeparted(std::move(departed), work);
    for (Flight& flight : flights_) {
      const auto& tasks = flight.call->tasks;
      if (!flight.cancelled && std::all_of(tasks.begin(), tasks.end(), [](const auto& task) {
            return task->cancel != nullptr && task->cancel->raised();
          })) {
        flight.cancelled = true;
        work.cancel.push_back(flight);
      }
    }
    work.wake = NextWake(now);
  }
  Perform(std::move(work));
}

void Pool::AddReplica(ReplicaSpec spec) {
  Work work;
  {
    base::MutexLock lock(mutex_);
    const int in_flight =
        options_.max_in_flight > 0 ? options_.max_in_flight : std::max(1, spec.max_in_flight);
    replicas_.push_back(
        std::make_shared<Replica>(Replica{std::move(spec), {.max_in_flight = in_flight}}));
    metrics_.ready.Set(static_cast<double>(replicas_.size()));
    Pump(clock_.Now(), work);
  }
  Perform(std::move(work));
}

void Pool::RemoveReplica(const std::string& address) {
  Work work;
  {
    base::MutexLock lock(mutex_);
    const absl::Time now = clock_.Now();
    const auto found = std::find_if(replicas_.begin(), replicas_.end(), [&](const auto& replica) {
      return replica->spec.address == address;
    });
    if (found != replicas_.end()) {
      Drop(std::shared_ptr<Replica>(*found), now);
    }
    work.wake = NextWake(now);
  }
  Perform(std::move(work));
}

absl::Time Pool::Tick() {
  Work work;
  absl::Time wake;
  {
    base::MutexLock lock(mutex_);
    Pump(clock_.Now(), work);
    wake = std::exchange(work.wake, absl::InfiniteFuture());
  }
  Perform(std::move(work));
  return wake;
}

batching::QueueStats Pool::stats() const {
  base::MutexLock lock(mutex_);
  return queue_.stats();
}

std::optional<ReplicaLoad> Pool::load(const std::string& address) const {
  base::MutexLock lock(mutex_);
  for (const auto& replica : replicas_) {
    if (replica->spec.address == address) {
      return replica->load;
    }
  }
  return std::nullopt;
}

int Pool::max_in_flight() const {
  base::MutexLock lock(mutex_);
  int most = options_.max_in_flight;
  for (const auto& replica : replicas_) {
    most = std::max(most, replica->load.max_in_flight);
  }
  return most;
}

void Pool::Pump(absl::Time now, Work& work) {
  if (closed_ || (replicas_.empty() && now >= empty_since_ + options_.grace)) {
    EndAllUnavailable(work);
  }
  std::vector<ReplicaLoad> loads;
  while (!queue_.empty()) {
    loads.clear();
    int open = 0;
    int idle = 0;
    for (const auto& replica : replicas_) {
      loads.push_back(replica->load);
      open += IsOpen(replica->load, now);
      idle += IsOpen(replica->load, now) && replica->load.outstanding_batches == 0;
    }
    const std::shared_ptr<BatchCall> call = CloseBatch(now, open, idle, work);
    if (call == nullptr) {
      break;
    }
    const std::shared_ptr<Replica>& replica = replicas_[*PickReplica(loads, now)];
    ++replica->load.outstanding_batches;
    replica->load.outstanding_cost += call->cost;
    replica->load.last_sent = ++batches_sent_;
    ++unanswered_;
    flights_.push_back({.call = call, .replica = replica});
    work.send.push_back(flights_.back());
  }
  work.wake = NextWake(now);
}

std::shared_ptr<BatchCall> Pool::CloseBatch(absl::Time now, int open, int idle, Work& work) {
  std::vector<batching::Departure> departed;
  std::optional<batching::Batch> batch;
  do {
    batch = queue_.TakeBatch(now, open, idle, departed);
    // May be empty: all that was planned had been cancelled.
  } while (batch && batch->tasks.empty());
  EndDeparted(std::move(departed), work);
  if (!batch) {
    return nullptr;
  }
  // While a model is being replaced, tasks of two spaces wait: those of the other come next.
  std::vector<std::unique_ptr<batching::Task>> others = SplitOff(batch->tasks);
  for (const auto& other : others) {
    batch->cost -= other->cost;
  }
  queue_.PutBack(std::move(others));
  auto call = std::make_shared<BatchCall>();
  call->tasks = std::move(batch->tasks);
  call->cost = batch->cost;
  call->sent = now;
  return call;
}

void Pool::EndDeparted(std::vector<batching::Departure> departed, Work& work) {
  for (batching::Departure& departure : departed) {
    const bool expired = departure.reason == batching::Departure::Reason::kExpired;
    absl::Status status =
        expired ? base::MakeError(absl::StatusCode::kDeadlineExceeded, base::kReasonDeadline,
                                  "the deadline passed while the item waited for a replica")
                : base::MakeError(absl::StatusCode::kCancelled, base::kReasonCancelled,
                                  "the caller left before the item was encoded");
    work.ended.push_back({std::move(departure.task), {.status = std::move(status)}});
  }
}

void Pool::EndAllUnavailable(Work& work) {
  for (auto& task : queue_.TakeAll()) {
    absl::Status status = Unavailable(static_cast<EncodeTask&>(*task));
    work.ended.push_back({std::move(task), {.status = std::move(status)}});
  }
}

absl::Status Pool::Unavailable(const EncodeTask& task) const {
  return base::WithRetryDelay(
      task.lost > 0
          ? base::MakeError(absl::StatusCode::kUnavailable, base::kReasonReplicaLost,
                            absl::StrCat("the ", options_.service,
                                         " replica that had this item was lost, and no other one "
                                         "could take it"))
          : base::MakeError(absl::StatusCode::kUnavailable, base::kReasonNoReplica,
                            absl::StrCat("no ", options_.service, " replica is ready")),
      options_.retry_delay);
}

bool Pool::Drop(const std::shared_ptr<Replica>& replica, absl::Time now) {
  const auto found = std::find(replicas_.begin(), replicas_.end(), replica);
  if (found == replicas_.end()) {
    return false;
  }
  replicas_.erase(found);
  metrics_.ready.Set(static_cast<double>(replicas_.size()));
  if (replicas_.empty()) {
    empty_since_ = now;
  }
  return true;
}

absl::Time Pool::NextWake(absl::Time now) const {
  if (queue_.empty()) {
    return absl::InfiniteFuture();
  }
  absl::Time wake = std::min(queue_.next_expiry(), queue_.held_until());
  if (replicas_.empty()) {
    wake = std::min(wake, empty_since_ + options_.grace);
  }
  for (const auto& replica : replicas_) {
    if (replica->load.paused_until > now) {
      wake = std::min(wake, replica->load.paused_until);
    }
  }
  return wake;
}

void Pool::Perform(Work work) {
  for (const Flight& flight : work.send) {
    Send(flight);
  }
  for (const Flight& flight : work.cancel) {
    flight.replica->spec.sender->Cancel(*flight.call);
  }
  if (alarm_) {
    alarm_->WakeAt(work.wake);
  }
  for (const auto& replica : work.lost) {
    if (replica->spec.on_lost) {
      replica->spec.on_lost();
    }
  }
  for (Ended& ended : work.ended) {
    const auto& task = static_cast<EncodeTask&>(*ended.task);
    task.owner->OnEncoded(task.slot, std::move(ended.outcome));
  }
}

void Pool::Send(const Flight& flight) {
  const std::shared_ptr<BatchCall>& call = flight.call;
  metrics_.batch_items.Observe(static_cast<double>(call->tasks.size()));
  metrics_.batch_cost.Observe(static_cast<double>(call->cost));
  for (const auto& task : call->tasks) {
    metrics::Observe(metrics_.queue, call->sent - task->enqueued);
  }
  FillCall(call->sent, *call);
  flight.replica->spec.sender->Send(*call, [this, call](const grpc::Status& status) mutable {
    OnAnswer(std::move(call), status);
    AnswerDone();
  });
}

}  // namespace terminus::services::router::dispatch
