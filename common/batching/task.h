#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "absl/time/time.h"

namespace terminus::batching {

// Raised once, by whoever no longer wants the work; read by whoever would do it. Thread-safe.
class CancelFlag {
 public:
  void Raise() { raised_.store(true, std::memory_order_release); }
  bool raised() const { return raised_.load(std::memory_order_acquire); }

 private:
  std::atomic<bool> raised_{false};
};

// One item that waits to be executed. The user of a queue derives from it and adds what is to be
// done; the queue owns it until it leaves, in a batch or otherwise.
struct Task {
  virtual ~Task() = default;

  // In the queue's unit (tokens, patches, frames); at least 1.
  int64_t cost = 1;
  // What it adds to a batch's message.
  int64_t bytes = 0;
  // Past it the task is not executed any more.
  absl::Time deadline = absl::InfiniteFuture();
  // Set by the queue when the task first enters; kept when it is put back.
  absl::Time enqueued = absl::InfinitePast();
  // Shared by all tasks of a call. May be null.
  std::shared_ptr<const CancelFlag> cancel;
};

}  // namespace terminus::batching
