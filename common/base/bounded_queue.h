#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <utility>

#include "common/base/mutex.h"

namespace terminus::base {

// A FIFO queue that refuses rather than grows. Thread-safe. After Close nothing enters, what is
// inside can still be taken out, and then Pop returns nothing.
template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(size_t capacity) : capacity_(capacity) {}

  // False, with `value` untouched, when the queue is full or closed.
  bool TryPush(T&& value) {
    {
      MutexLock lock(mutex_);
      if (closed_ || items_.size() >= capacity_) {
        return false;
      }
      items_.push_back(std::move(value));
    }
    not_empty_.NotifyOne();
    return true;
  }

  // Waits for an item. Nothing when `deadline` passes, or when the queue is closed and empty.
  std::optional<T> Pop(absl::Time deadline = absl::InfiniteFuture()) {
    MutexLock lock(mutex_);
    while (items_.empty()) {
      if (closed_ || (!not_empty_.WaitUntil(mutex_, deadline) && items_.empty())) {
        return std::nullopt;
      }
    }
    std::optional<T> value(std::move(items_.front()));
    items_.pop_front();
    return value;
  }

  void Close() {
    {
      MutexLock lock(mutex_);
      closed_ = true;
    }
    not_empty_.NotifyAll();
  }

  size_t size() const {
    MutexLock lock(mutex_);
    return items_.size();
  }

 private:
  const size_t capacity_;
  mutable Mutex mutex_;
  CondVar not_empty_;
  std::deque<T> items_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace terminus::base
