#include "models/kernels/team/thread_team.h"

#include <algorithm>

namespace terminus::models::kernels {
namespace {

// Some 30 µs: longer than the parts of a small model differ, shorter than a scheduler's slice.
constexpr int kSpins = 1000;

inline void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Returns once `done()`, which looks at atomics, holds. `event` changes each time after it has come
// to hold.
template <class Done>
void Await(const std::atomic<uint32_t>& event, const Done& done) {
  for (int i = 0; i < kSpins; ++i) {
    if (done()) {
      return;
    }
    Pause();
  }
  for (;;) {
    const uint32_t seen = event.load(std::memory_order_acquire);
    if (done()) {
      return;
    }
    event.wait(seen, std::memory_order_acquire);
  }
}

uint32_t PhaseOf(uint64_t ticket) { return static_cast<uint32_t>(ticket >> 32); }
int64_t PartOf(uint64_t ticket) { return static_cast<int64_t>(ticket & 0xffffffff); }

}  // namespace

void ThreadTeam::Member::ForEach(int64_t count, int64_t grain,
                                 absl::FunctionRef<void(int64_t, int64_t)> body) {
  const int64_t parts = (count + grain - 1) / grain;
  if (parts == 0) {
    return;
  }
  const uint32_t phase = phase_++;
  uint64_t ticket = team_.ticket_.load(std::memory_order_acquire);
  for (;;) {
    // The others may be further on already.
    if (PhaseOf(ticket) != phase) {
      return;
    }
    const int64_t part = PartOf(ticket);
    if (part == parts) {
      break;
    }
    if (!team_.ticket_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel,
                                             std::memory_order_acquire)) {
      continue;
    }
    body(part * grain, std::min((part + 1) * grain, count));
    if (team_.done_.fetch_add(1, std::memory_order_acq_rel) + 1 == parts) {
      // Has seen what all others wrote, and whoever sees the new phase sees it too.
      team_.done_.store(0, std::memory_order_relaxed);
      team_.ticket_.store(uint64_t{phase + 1} << 32, std::memory_order_release);
      team_.ends_.fetch_add(1, std::memory_order_release);
      team_.ends_.notify_all();
      return;
    }
    ticket = team_.ticket_.load(std::memory_order_acquire);
  }
  team_.AwaitEnd(phase);
}

void ThreadTeam::AwaitEnd(uint32_t phase) const {
  Await(ends_, [&] { return PhaseOf(ticket_.load(std::memory_order_acquire)) != phase; });
}

ThreadTeam::ThreadTeam(int threads) {
  for (int i = 1; i < threads; ++i) {
    workers_.emplace_back([this, i] { Work(i); });
  }
}

ThreadTeam::~ThreadTeam() {
  stopping_.store(true, std::memory_order_relaxed);
  run_.fetch_add(1, std::memory_order_release);
  run_.notify_all();
  for (std::thread& worker : workers_) {
    worker.join();
  }
}

void ThreadTeam::Run(absl::FunctionRef<void(Member&)> body) {
  body_ = &body;
  first_phase_ = PhaseOf(ticket_.load(std::memory_order_acquire));
  gate_.store(kOpen, std::memory_order_release);
  run_.fetch_add(1, std::memory_order_release);
  run_.notify_all();
  Member self(*this, 0, first_phase_);
  body(self);
  gate_.fetch_and(~kOpen, std::memory_order_acq_rel);
  // Those inside still look at `body`; all that is left for them is to skip.
  Await(gate_, [&] { return gate_.load(std::memory_order_acquire) == 0; });
}

void ThreadTeam::Work(int index) {
  uint32_t seen = 0;
  for (;;) {
    Await(run_, [&] { return run_.load(std::memory_order_acquire) != seen; });
    seen = run_.load(std::memory_order_acquire);
    if (stopping_.load(std::memory_order_relaxed)) {
      return;
    }
    uint32_t gate = gate_.load(std::memory_order_acquire);
    while ((gate & kOpen) != 0 &&
           !gate_.compare_exchange_weak(gate, gate + 1, std::memory_order_acq_rel,
                                        std::memory_order_acquire)) {
    }
    if ((gate & kOpen) == 0) {
      continue;
    }
    Member self(*this, index, first_phase_);
    (*body_)(self);
    gate_.fetch_sub(1, std::memory_order_acq_rel);
    gate_.notify_all();
  }
}

}  // namespace terminus::models::kernels
