#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"

// Which tasks go into the next batch, as a pure function over a snapshot.
namespace terminus::batching {

struct BatchLimits {
  // At least 1.
  int max_items = 64;
  // At least 1. A single task may exceed it, and then goes alone.
  int64_t max_cost = 16384;
  // So that a batch fits into one message. A single task may exceed it, as above.
  int64_t max_bytes = int64_t{60} << 20;
};

// What the policy sees of a waiting task.
struct TaskView {
  int64_t cost = 1;
  int64_t bytes = 0;
  absl::Time deadline = absl::InfiniteFuture();
  // When it came.
  absl::Time enqueued = absl::InfinitePast();
};

struct Snapshot {
  absl::Time now;
  // In order of arrival.
  absl::Span<const TaskView> waiting;
  // Sum over `waiting`.
  int64_t waiting_cost = 0;
  // Replicas that take one more batch now.
  int open_replicas = 0;
  // Of these, the ones with nothing to do at all.
  int idle_replicas = 0;
  // How long a batch lately took from being sent to being answered.
  absl::Duration batch_time;
};

// What bounded a batch.
enum class CloseReason {
  // A replica was free and nothing more was waiting, or the rest was left to other idle replicas.
  kIdleReplica,
  kCost,
  // By count, or by bytes.
  kItems,
  // Full, and tasks that would have missed their deadline went ahead of earlier ones.
  kDeadline,
};

struct BatchPlan {
  // Places in `waiting`, ascending. Empty: no batch now.
  std::vector<size_t> picks;
  // Without picks: when there is a batch if nothing happens until then.
  absl::Time held_until = absl::InfiniteFuture();
  int64_t cost = 0;
  CloseReason reason = CloseReason::kIdleReplica;
};

// The next batch. Work-conserving: whenever something waits and a replica is idle there is one.
// Replicas that are busy and open take the next batch only to have it ready in time. For them what
// waits is held back until it fills a batch, or the oldest has waited for a quarter of a batch's
// time: sent at once, the first few to come would make the next batch, and the many behind them
// would be prepared only when it is over. Nothing is held that could miss its deadline.
//
// Arrival order, but for one thing: when not all fits, tasks that would not live through one more
// batch are taken first, nearest deadline first. Nothing is skipped for being large, so nothing
// starves. When several replicas are idle, what waits is shared out among them by cost.
BatchPlan PlanBatch(const BatchLimits& limits, const Snapshot& snapshot);

}  // namespace terminus::batching
