#include "services/decoder/scheduler/policy.h"

#include <algorithm>

namespace terminus::services::decoder::scheduler {
namespace {

class Planner {
 public:
  Planner(const StepLimits& limits, const Snapshot& snapshot)
      : limits_(limits),
        snapshot_(snapshot),
        available_(snapshot.available_blocks),
        budget_(limits.token_budget),
        gone_(snapshot.running.size(), false) {
    for (size_t i = 0; i < snapshot.running.size(); ++i) {
      if (!snapshot.running[i].paused && active_.size() < MaxSequences()) {
        active_.push_back(i);
      }
    }
  }

  StepDecision Plan() {
    Decode();
    Prefill();
    // What was preempted changes what is shared: the next snapshot will tell.
    if (decision_.preempted.empty()) {
      Admit();
    }
    const auto by_place = [](const Work& a, const Work& b) { return a.place < b.place; };
    std::sort(decision_.running.begin(), decision_.running.end(), by_place);
    return std::move(decision_);
  }

 private:
  size_t MaxSequences() const { return static_cast<size_t>(limits_.max_sequences); }

  void Decode() {
    for (const size_t place : active_) {
      const RunningView& sequence = snapshot_.running[place];
      if (gone_[place] || sequence.known - sequence.computed != 1 || budget_ == 0) {
        continue;
      }
      const int missing =
          std::max(0, BlocksFor(sequence.known, limits_.block_tokens) - sequence.blocks);
      while (missing > available_ && (PreemptPaused() || PreemptYoungerThan(place))) {
      }
      if (missing <= available_) {
        available_ -= missing;
        --budget_;
        decision_.running.push_back({place, 1});
      }
    }
  }

  void Prefill() {
    for (const size_t place : active_) {
      const RunningView& sequence = snapshot_.running[place];
      const int left = sequence.known - sequence.computed;
      if (gone_[place] || left == 1 || budget_ == 0) {
        continue;
      }
      const int tokens = std::min(left, budget_);
      budget_ -= tokens;
      decision_.running.push_back({place, tokens});
    }
  }

  void Admit() {
    size_t active = active_.size();
    for (size_t i = 0; i < snapshot_.waiting.size(); ++i) {
      const WaitingView& sequence = snapshot_.waiting[i];
      if (budget_ == 0 || active == MaxSequences()) {
        return;
      }
      const int missing = BlocksFor(sequence.known, limits_.block_tokens) - sequence.held_blocks;
      const int wanted = missing + static_cast<int>(active);
      if (wanted > available_) {
        while (wanted > available_ && PreemptPaused()) {
        }
        return;
      }
      available_ -= missing;
      const int tokens = std::min(sequence.known - sequence.cached, budget_);
      budget_ -= tokens;
      ++active;
      decision_.admitted.push_back({i, tokens});
    }
  }

  // Takes the blocks of the youngest that is paused; false when there is none.
  bool PreemptPaused() {
    for (size_t i = snapshot_.running.size(); i-- > 0;) {
      if (snapshot_.running[i].paused && !gone_[i]) {
        Preempt(i);
        return true;
      }
    }
    return false;
  }

  bool PreemptYoungerThan(size_t place) {
    for (size_t i = snapshot_.running.size(); i-- > place + 1;) {
      if (!gone_[i]) {
        Preempt(i);
        return true;
      }
    }
    return false;
  }

  void Preempt(size_t place) {
    gone_[place] = true;
    available_ += snapshot_.running[place].own_blocks;
    decision_.preempted.push_back(place);
  }

  const StepLimits& limits_;
  const Snapshot& snapshot_;
  int available_;
  int budget_;
  // By place in `running`: preempted in this step.
  std::vector<bool> gone_;
  // Places of those that take part.
  std::vector<size_t> active_;
  StepDecision decision_;
};

}  // namespace

StepDecision PlanStep(const StepLimits& limits, const Snapshot& snapshot) {
  return Planner(limits, snapshot).Plan();
}

}  // namespace terminus::services::decoder::scheduler
