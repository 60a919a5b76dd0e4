#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"

namespace terminus::models::kernels {

// Threads that run one long computation of many short phases together, such as all layers of a
// language model for one token. They sleep between computations; inside one, who finds nothing left
// of a phase spins for its end, for some tens of microseconds, and then sleeps as well: a core that
// others need is not held. A phase ends when its parts are done, not when all members have come: a
// member that the system does not let run delays the others by the part it has in hand at most, and
// skips what was done without it. Used by one thread at a time.
class ThreadTeam {
 public:
  // What a member of the team sees of it. All members must make the same calls in the same order,
  // with the same counts and grains.
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
    Member(ThreadTeam& team, int index, uint32_t phase)
        : team_(team), index_(index), phase_(phase) {}

    ThreadTeam& team_;
    int index_;
    uint32_t phase_;  // Of the next ForEach.
  };

  // The caller of Run is one of the `threads`.
  explicit ThreadTeam(int threads);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  // Runs body on the caller and on every member that wakes before it is done. It must not throw.
  void Run(absl::FunctionRef<void(Member&)> body);

 private:
  void Work(int index);
  void AwaitEnd(uint32_t phase) const;

  // Counts runs; workers sleep on it between two of them.
  std::atomic<uint32_t> run_{0};
  std::atomic<bool> stopping_{false};

  // Whether a run may be joined (kOpen), and how many workers are in it. While it is open or
  // anybody is in it, body_ and first_phase_ stay.
  static constexpr uint32_t kOpen = uint32_t{1} << 31;
  alignas(64) std::atomic<uint32_t> gate_{0};
  const absl::FunctionRef<void(Member&)>* body_ = nullptr;
  uint32_t first_phase_ = 0;

  // The phase in progress, and below it the part to be taken next.
  alignas(64) std::atomic<uint64_t> ticket_{0};
  // Parts of it that are done.
  alignas(64) std::atomic<int64_t> done_{0};
  // Changes after each end of a phase; to sleep on.
  alignas(64) std::atomic<uint32_t> ends_{0};

  std::vector<std::thread> workers_;
};

}  // namespace terminus::models::kernels
