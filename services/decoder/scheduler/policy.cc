#include "services/decoder/scheduler/policy.h"

#include <algorithm>
#include <numeric>

namespace terminus::services::decoder::scheduler {
namespace {

// Sampled tokens of a sequence that steps in flight owe it, at most.
constexpr int kMaxPending = 2;

// Indices of the views, by priority, then arrival.
template <typename Views>
std::vector<size_t> InOrder(const Views& views) {
  std::vector<size_t> order(views.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return views[a].priority < views[b].priority; });
  return order;
}

class Planner {
 public:
  Planner(const StepLimits& limits, const Snapshot& snapshot)
      : limits_(limits),
        snapshot_(snapshot),
        blocks_(snapshot.blocks),
        slots_(snapshot.slots),
        budget_(limits.token_budget),
        order_(InOrder(snapshot.running)),
        gone_(snapshot.running.size(), false) {}

  StepDecision Plan() {
    for (size_t rank = 0; rank < order_.size() && active_.size() < MaxSequences(); ++rank) {
      if (!snapshot_.running[order_[rank]].paused) {
        active_.push_back(rank);
      }
    }
    Decode();
    Prefill();
    // What was preempted changes what is shared: the next snapshot will tell.
    if (decision_.preempted.empty()) {
      Admit();
    }
    std::sort(decision_.running.begin(), decision_.running.end(),
              [](const Work& a, const Work& b) { return a.index < b.index; });
    return std::move(decision_);
  }

 private:
  size_t MaxSequences() const { return static_cast<size_t>(limits_.max_sequences); }

  const RunningView& View(size_t rank) const { return snapshot_.running[order_[rank]]; }

  bool Decodes(size_t rank) const { return View(rank).known - View(rank).launched == 1; }

  // Ranks of the sequences past their prompts that this step may compute, ascending.
  std::vector<size_t> Share() const {
    size_t decoding = 0;
    std::vector<size_t> share;
    for (const size_t rank : active_) {
      decoding += Decodes(rank) ? 1 : 0;
      if (Decodes(rank) && View(rank).pending < kMaxPending) {
        share.push_back(rank);
      }
    }
    const auto stages = static_cast<size_t>(limits_.stages);
    std::stable_sort(share.begin(), share.end(),
                     [this](size_t a, size_t b) { return View(a).last_step < View(b).last_step; });
    share.resize(std::min(share.size(), (decoding + stages - 1) / stages));
    std::sort(share.begin(), share.end());
    return share;
  }

  void Decode() {
    for (const size_t rank : Share()) {
      const RunningView& sequence = View(rank);
      if (gone_[rank] || budget_ == 0) {
        continue;
      }
      const int missing =
          std::max(0, BlocksFor(sequence.known, limits_.block_tokens) - sequence.blocks);
      while (missing > blocks_.available + blocks_.coming &&
             (PreemptPaused() || PreemptBehind(rank))) {
      }
      if (missing <= blocks_.available) {
        blocks_.available -= missing;
        --budget_;
        decision_.running.push_back({order_[rank], 1});
      } else {
        Reserve(missing);
      }
    }
  }

  // Keeps what there is from those behind a sequence that waits for blocks to come free.
  void Reserve(int missing) {
    const int from_coming = std::min(missing - blocks_.available, blocks_.coming);
    blocks_.available = 0;
    blocks_.coming -= from_coming;
  }

  void Prefill() {
    for (const size_t rank : active_) {
      const RunningView& sequence = View(rank);
      const int left = sequence.known - sequence.launched;
      if (gone_[rank] || Decodes(rank) || budget_ == 0) {
        continue;
      }
      const int tokens = std::min(left, budget_);
      budget_ -= tokens;
      decision_.running.push_back({order_[rank], tokens});
    }
  }

  void Admit() {
    size_t active = active_.size();
    for (const size_t index : InOrder(snapshot_.waiting)) {
      const WaitingView& sequence = snapshot_.waiting[index];
      if (budget_ == 0 || active == MaxSequences()) {
        return;
      }
      const int missing = BlocksFor(sequence.known, limits_.block_tokens) - sequence.held_blocks;
      const int wanted = missing + static_cast<int>(active);
      if (wanted > blocks_.available || slots_.available == 0) {
        while ((wanted > blocks_.available + blocks_.coming ||
                slots_.available + slots_.coming == 0) &&
               PreemptPaused()) {
        }
        return;
      }
      blocks_.available -= missing;
      --slots_.available;
      const int tokens = std::min(sequence.known - sequence.cached, budget_);
      budget_ -= tokens;
      ++active;
      decision_.admitted.push_back({index, tokens});
    }
  }

  // Takes the blocks of the last one that is paused; false when there is none.
  bool PreemptPaused() {
    for (size_t rank = order_.size(); rank-- > 0;) {
      if (View(rank).paused && !gone_[rank]) {
        Preempt(rank);
        return true;
      }
    }
    return false;
  }

  bool PreemptBehind(size_t rank) {
    for (size_t victim = order_.size(); victim-- > rank + 1;) {
      if (!gone_[victim]) {
        Preempt(victim);
        return true;
      }
    }
    return false;
  }

  void Preempt(size_t rank) {
    gone_[rank] = true;
    const RunningView& victim = View(rank);
    (victim.in_flight ? blocks_.coming : blocks_.available) += victim.own_blocks;
    ++(victim.in_flight ? slots_.coming : slots_.available);
    decision_.preempted.push_back(order_[rank]);
  }

  const StepLimits& limits_;
  const Snapshot& snapshot_;
  Supply blocks_;
  Supply slots_;
  int budget_;
  // Running sequences in order. A rank is an index into `order_`.
  const std::vector<size_t> order_;
  // By rank: preempted in this step.
  std::vector<bool> gone_;
  // Ranks of those that take part.
  std::vector<size_t> active_;
  StepDecision decision_;
};

}  // namespace

StepDecision PlanStep(const StepLimits& limits, const Snapshot& snapshot) {
  return Planner(limits, snapshot).Plan();
}

}  // namespace terminus::services::decoder::scheduler
