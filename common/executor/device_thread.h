#pragma once

#include <functional>
#include <string>
#include <thread>

#include "common/base/bounded_queue.h"

namespace terminus::executor {

// One thread, set up for LibTorch, that runs closures in order. Destruction runs what was
// accepted, then joins.
class DeviceThread {
 public:
  // `name` shows in debuggers, cut to 15 characters.
  DeviceThread(std::string name, size_t max_queued);
  ~DeviceThread();
  DeviceThread(const DeviceThread&) = delete;
  DeviceThread& operator=(const DeviceThread&) = delete;

  // False when `max_queued` closures are waiting already.
  bool TryRun(std::function<void()> closure);

 private:
  base::BoundedQueue<std::function<void()>> queue_;
  std::thread thread_;
};

}  // namespace terminus::executor
