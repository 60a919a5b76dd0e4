#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>

#include "absl/time/time.h"

// The means to stop the grammar library, which has none of its own: every allocation of its code
// comes by here (cmake/Xgrammar.cmake makes it so), and may throw.
namespace terminus::grammar {

// Thrown out of an allocation. Not a std::exception, so that code which catches those lets it pass.
class LimitExceeded {};

// While it lives, what the grammar library allocates on this thread is bounded, and so is the time
// that the thread computes. Past a limit the library's next allocation throws LimitExceeded; code
// that swallows it meets another soon. Limits do not nest.
class AllocationLimit {
 public:
  struct Options {
    // Bytes that the library may hold beyond those it held before.
    int64_t bytes = 0;
    // Of this thread's processor time, so that a busy machine makes no difference.
    absl::Duration cpu_time;
    // The limit is passed as soon as this is true; null: never. Read on this thread.
    const std::atomic<bool>* cancelled = nullptr;
  };

  enum class Reason { kNone, kBytes, kTime, kCancelled, kTest };

  explicit AllocationLimit(const Options& options);
  ~AllocationLimit();
  AllocationLimit(const AllocationLimit&) = delete;
  AllocationLimit& operator=(const AllocationLimit&) = delete;

  // Bytes that the library holds beyond those it held before.
  int64_t held_bytes() const { return held_bytes_; }
  int64_t allocations() const { return allocations_; }
  // Processor time of this thread since the limit began.
  absl::Duration used_time() const;
  // Which limit was passed last.
  Reason reason() const { return reason_; }

  // For tests: the allocation of this number, from 1, throws. 0: none does.
  void FailAt(int64_t allocation) { fail_at_ = allocation; }

  // Called by the library's operators new and delete: before `bytes` are allocated (throws), behind
  // an allocation, and before memory is freed.
  void Check(size_t bytes);
  void Allocated(void* memory);
  void Freeing(void* memory);

 private:
  Reason Exceeded(size_t bytes) const;

  const Options options_;
  const int64_t begin_ns_;
  const int64_t end_ns_;
  int64_t held_bytes_ = 0;
  int64_t allocations_ = 0;
  int64_t fail_at_ = 0;
  Reason reason_ = Reason::kNone;
  // The allocation from which on a limit that is passed throws.
  int64_t armed_from_ = 0;
};

}  // namespace terminus::grammar
