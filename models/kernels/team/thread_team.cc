#include "models/kernels/team/thread_team.h"

#include <algorithm>

namespace terminus::models::kernels {
namespace {

// Some 30 µs: longer than the phases of a small model differ, shorter than a scheduler's slice.
constexpr int kSpins = 1000;

inline void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Returns once `value` is not `old` any more.
void AwaitChange(const std::atomic<uint32_t>& value, uint32_t old) {
  for (int i = 0; i < kSpins; ++i) {
    if (value.load(std::memory_order_acquire) != old) {
      return;
    }
    Pause();
  }
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

void ThreadTeam::Member::ForEach(int64_t count, int64_t grain,
                                 absl::FunctionRef<void(int64_t, int64_t)> body) {
  for (;;) {
    const int64_t begin = team_.next_.fetch_add(grain, std::memory_order_relaxed);
    if (begin >= count) {
      break;
    }
    body(begin, std::min(begin + grain, count));
  }
  team_.Barrier();
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
  run_.fetch_add(1, std::memory_order_release);
  run_.notify_all();
  Member self(*this, 0);
  body(self);
  // A worker still looks at `body` until it is here.
  Barrier();
}

void ThreadTeam::Work(int index) {
  for (uint32_t seen = 0;; ++seen) {
    AwaitChange(run_, seen);
    if (stopping_.load(std::memory_order_relaxed)) {
      return;
    }
    Member self(*this, index);
    (*body_)(self);
    Barrier();
  }
}

void ThreadTeam::Barrier() {
  const uint32_t phase = phase_.load(std::memory_order_relaxed);
  // The last to arrive has seen what all others wrote, and all will see it through phase_.
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 < size()) {
    AwaitChange(phase_, phase);
    return;
  }
  arrived_.store(0, std::memory_order_relaxed);
  next_.store(0, std::memory_order_relaxed);
  phase_.store(phase + 1, std::memory_order_release);
  phase_.notify_all();
}

}  // namespace terminus::models::kernels
