#include "common/batching/policy.h"

#include <algorithm>

namespace terminus::batching {
namespace {

// Of a batch's time, what is waited at most for a batch to fill up.
constexpr double kHeldShare = 0.25;

// Collects picks until a limit is hit.
class Filler {
 public:
  Filler(const BatchLimits& limits, int64_t share, const Snapshot& snapshot)
      : limits_(limits), share_(share), snapshot_(snapshot) {}

  // False when the task does not fit any more.
  bool Add(size_t index) {
    const int64_t cost = snapshot_.waiting[index].cost;
    const int64_t bytes = snapshot_.waiting[index].bytes;
    if (!plan_.picks.empty()) {
      if (static_cast<int>(plan_.picks.size()) >= limits_.max_items ||
          bytes_ + bytes > limits_.max_bytes) {
        plan_.reason = CloseReason::kItems;
        return false;
      }
      if (plan_.cost + cost > limits_.max_cost) {
        plan_.reason = CloseReason::kCost;
        return false;
      }
      if (plan_.cost >= share_) {
        plan_.reason = CloseReason::kIdleReplica;
        return false;
      }
    }
    plan_.picks.push_back(index);
    plan_.cost += cost;
    bytes_ += bytes;
    return true;
  }

  // False when one of them did not fit.
  bool AddInOrder() {
    for (size_t i = 0; i < snapshot_.waiting.size(); ++i) {
      if (!Add(i)) {
        return false;
      }
    }
    return true;
  }

  // Whether another one like the last would not fit.
  bool IsFull() const {
    const TaskView& last = snapshot_.waiting[plan_.picks.back()];
    return static_cast<int>(plan_.picks.size()) >= limits_.max_items ||
           plan_.cost + last.cost > limits_.max_cost || bytes_ + last.bytes > limits_.max_bytes;
  }

  BatchPlan& plan() { return plan_; }

 private:
  const BatchLimits& limits_;
  const int64_t share_;
  const Snapshot& snapshot_;
  BatchPlan plan_;
  int64_t bytes_ = 0;
};

// Places, past the first `in_order`, of tasks that are over before a batch after this one would
// be answered; nearest deadline first.
std::vector<size_t> Urgent(const Snapshot& snapshot, size_t in_order) {
  const absl::Time horizon = snapshot.now + 2 * snapshot.batch_time;
  std::vector<size_t> urgent;
  for (size_t i = in_order; i < snapshot.waiting.size(); ++i) {
    if (snapshot.waiting[i].deadline < horizon) {
      urgent.push_back(i);
    }
  }
  std::stable_sort(urgent.begin(), urgent.end(), [&](size_t a, size_t b) {
    return snapshot.waiting[a].deadline < snapshot.waiting[b].deadline;
  });
  return urgent;
}

// The urgent of all tasks first, then the others in order of arrival.
BatchPlan PlanWithUrgent(const BatchLimits& limits, int64_t share, const Snapshot& snapshot) {
  Filler filler(limits, share, snapshot);
  std::vector<bool> taken(snapshot.waiting.size(), false);
  bool room = true;
  for (size_t index : Urgent(snapshot, 0)) {
    if (!(room = filler.Add(index))) {
      break;
    }
    taken[index] = true;
  }
  for (size_t i = 0; room && i < snapshot.waiting.size(); ++i) {
    room = taken[i] || filler.Add(i);
  }
  BatchPlan plan = std::move(filler.plan());
  std::sort(plan.picks.begin(), plan.picks.end());
  plan.reason = CloseReason::kDeadline;
  return plan;
}

}  // namespace

BatchPlan PlanBatch(const BatchLimits& limits, const Snapshot& snapshot) {
  if (snapshot.waiting.empty() || snapshot.open_replicas <= 0) {
    return {};
  }
  int64_t share = limits.max_cost;
  if (snapshot.idle_replicas > 1) {
    // Rounded up, so that the last replica is not left with a remainder nobody takes.
    const int64_t even =
        (snapshot.waiting_cost + snapshot.idle_replicas - 1) / snapshot.idle_replicas;
    share = std::min(share, std::max<int64_t>(even, 1));
  }
  Filler filler(limits, share, snapshot);
  if (filler.AddInOrder() || filler.plan().reason == CloseReason::kIdleReplica) {
    const absl::Time until = snapshot.waiting.front().enqueued + kHeldShare * snapshot.batch_time;
    if (snapshot.idle_replicas == 0 && snapshot.now < until && !filler.IsFull() &&
        Urgent(snapshot, 0).empty()) {
      return {.held_until = until};
    }
    return std::move(filler.plan());
  }
  if (!Urgent(snapshot, filler.plan().picks.size()).empty()) {
    return PlanWithUrgent(limits, share, snapshot);
  }
  return std::move(filler.plan());
}

}  // namespace terminus::batching
