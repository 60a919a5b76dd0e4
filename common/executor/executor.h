#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/executor/device_thread.h"
#include "common/executor/encoder.h"
#include "common/executor/guard.h"

namespace terminus::executor {

// Owns an encoder and the one thread that uses it. Batches run in the order they were accepted,
// one at a time. Thread-safe. Destruction runs what was accepted, then joins.
template <class Batch>
class Executor {
 public:
  struct Task {
    Batch batch;
    // Asked once, on the device thread, just before the batch would start: true finishes the task
    // with CANCELLED, not executed. May be empty.
    std::function<bool()> abandoned;
    // Called once, on the device thread, with the time the encoder took. Must not block: the next
    // batch waits for it.
    std::function<void(absl::StatusOr<Embeddings> result, absl::Duration compute)> done;
  };

  // `max_in_flight` counts the batch that runs and those that wait for it; at least 1.
  Executor(std::string name, std::unique_ptr<Encoder<Batch>> encoder, int max_in_flight)
      : encoder_(std::move(encoder)),
        max_in_flight_(max_in_flight),
        thread_(std::move(name), static_cast<size_t>(max_in_flight)) {}

  // False, and `done` is never called, when `max_in_flight` batches are inside already.
  bool TrySubmit(Task task) {
    if (in_flight_.fetch_add(1) >= max_in_flight_) {
      in_flight_.fetch_sub(1);
      return false;
    }
    // Shared, because a std::function must be copyable.
    auto shared = std::make_shared<Task>(std::move(task));
    if (!thread_.TryRun([this, shared] { Run(*shared); })) {
      in_flight_.fetch_sub(1);
      return false;
    }
    return true;
  }

  int max_in_flight() const { return max_in_flight_; }
  int in_flight() const { return in_flight_.load(); }
  int dimension() const { return encoder_->dimension(); }

 private:
  void Run(Task& task) {
    absl::StatusOr<Embeddings> result = absl::CancelledError("abandoned before it started");
    absl::Duration compute = absl::ZeroDuration();
    if (!task.abandoned || !task.abandoned()) {
      const absl::Time start = absl::Now();
      const absl::Status status = RunGuarded([&]() -> absl::Status {
        result = encoder_->Encode(task.batch);
        return result.status();
      });
      if (!status.ok()) {
        result = status;
      }
      compute = absl::Now() - start;
    }
    // Before `done`: whoever answers it at once with another batch must find the place free.
    in_flight_.fetch_sub(1);
    task.done(std::move(result), compute);
  }

  std::unique_ptr<Encoder<Batch>> encoder_;
  const int max_in_flight_;
  std::atomic<int> in_flight_{0};
  // Last, so that it is joined before what it uses goes.
  DeviceThread thread_;
};

}  // namespace terminus::executor
