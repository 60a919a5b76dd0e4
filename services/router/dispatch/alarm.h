#pragma once

#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "common/base/mutex.h"

namespace terminus::services::router::dispatch {

// A thread that calls a function when its time has come.
class Alarm {
 public:
  // `tick` returns when it wants to be called next. Never called twice at once.
  explicit Alarm(std::function<absl::Time()> tick);
  // As Stop.
  ~Alarm();

  // No tick begins after this; waits for one that is running. Not from inside `tick`.
  void Stop();

  // Calls `tick` at `time` or earlier. Thread-safe, also from inside `tick`.
  void WakeAt(absl::Time time);

 private:
  void Run();

  const std::function<absl::Time()> tick_;
  base::Mutex mutex_;
  base::CondVar changed_;
  absl::Time next_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace terminus::services::router::dispatch
