#pragma once

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"
#include "common/base/bounded_queue.h"

namespace terminus::base {

// A fixed number of threads over one bounded queue. Destruction runs what was accepted, then joins.
class ThreadPool {
 public:
  // `name` shows in debuggers, cut to 15 characters. At least one thread.
  ThreadPool(std::string name, int threads, size_t max_queued);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // False when `max_queued` tasks are waiting already.
  bool TrySchedule(std::function<void()> task);

  // Calls `body(0) … body(count - 1)`, some on the pool and some on the calling thread, and
  // returns when all are done. Never waits for a queue place, so it may be called from anywhere.
  void ParallelFor(int count, absl::FunctionRef<void(int)> body);

  int size() const { return static_cast<int>(threads_.size()); }

 private:
  BoundedQueue<std::function<void()>> queue_;
  std::vector<std::thread> threads_;
};

}  // namespace terminus::base
