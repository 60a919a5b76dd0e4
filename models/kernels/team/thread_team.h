#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"

namespace terminus::models::kernels {

// Threads that run one long computation of many short phases together, such as all layers of a
// language model for one token. They sleep between computations; inside one, who is done with a
// phase spins for the others, for some tens of microseconds, and then sleeps as well: a core that
// others need is not held. Waking a thread for every phase would cost more than many phases take.
// Used by one thread at a time.
class ThreadTeam {
 public:
  // What a member of the team sees of it. All members must make the same calls in the same order.
  class Member {
   public:
    int index() const { return index_; }
    int size() const { return team_.size(); }

    // Calls body(begin, end) for parts of [0, count) until all of it is done by somebody; a part is
    // `grain` long, the last one perhaps shorter. Whoever is free takes the next part. Returns when
    // the last part is done: what was written in it can be read by all.
    void ForEach(int64_t count, int64_t grain, absl::FunctionRef<void(int64_t, int64_t)> body);

   private:
    friend class ThreadTeam;
    Member(ThreadTeam& team, int index) : team_(team), index_(index) {}

    ThreadTeam& team_;
    int index_;
  };

  // The caller of Run is one of the `threads`.
  explicit ThreadTeam(int threads);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  // Runs body on every member and returns when all are done. It must not throw.
  void Run(absl::FunctionRef<void(Member&)> body);

 private:
  void Work(int index);
  void Barrier();

  // Counts runs; workers sleep on it between two of them.
  std::atomic<uint32_t> run_{0};
  std::atomic<bool> stopping_{false};
  const absl::FunctionRef<void(Member&)>* body_ = nullptr;

  // Of the phase in progress: the next part to take, who has come to its end, how many have ended.
  alignas(64) std::atomic<int64_t> next_{0};
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<uint32_t> phase_{0};

  std::vector<std::thread> workers_;
};

}  // namespace terminus::models::kernels
