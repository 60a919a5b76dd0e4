#pragma once

#include "absl/time/time.h"

namespace terminus::tools::cli {

struct BackoffOptions {
  absl::Duration initial = absl::Milliseconds(200);
  absl::Duration max = absl::Seconds(10);
  double factor = 2.0;
};

// How long to wait before the next start after `failures` in a row (at least 1).
absl::Duration BackoffDelay(const BackoffOptions& options, int failures);

struct LifecycleOptions {
  BackoffOptions backoff;
  // A process that ran this long was fine: its failures are forgotten.
  absl::Duration stable_after = absl::Seconds(10);
  // So many quick failures in a row end it for good, unless it has ever served.
  int max_quick_failures = 3;
  // Between SIGTERM and SIGKILL.
  absl::Duration stop_patience = absl::Seconds(12);
};

enum class ProcessState {
  kWaiting,   // to be started at wake_at()
  kRunning,   //
  kStopping,  // was sent SIGTERM, is killed at wake_at()
  kStopped,   // ended because it was told to
  kFailed,    // given up
};

const char* ProcessStateName(ProcessState state);

// Decides when one supervised process is started, terminated and killed. Pure: the caller does
// what it says and tells it what happened. Not thread-safe.
//
//   state     event              next       action returned
//   Waiting   Tick, time come    Waiting    kStart; the caller answers Started or Exited
//   Waiting   Started            Running
//   Waiting   Exited (no start)  Waiting, or Failed after max_quick_failures
//   Waiting   Stop               Stopped
//   Running   Exited             Waiting, or Failed after max_quick_failures, or at once when
//   refused Running   Stop               Stopping   kTerminate Stopping  Tick, time come Stopping
//   kKill Stopping  Exited             Stopped
class Lifecycle {
 public:
  enum class Action { kNone, kStart, kTerminate, kKill };

  Lifecycle(const LifecycleOptions& options, absl::Time now) : options_(options), wake_at_(now) {}

  Action Tick(absl::Time now);
  void Started(absl::Time now);
  // `refused`: it said itself that starting it again would change nothing. Only what has served
  // before is tried again then: a file may be replaced just now.
  void Exited(absl::Time now, bool refused = false);
  Action Stop(absl::Time now);
  // From now on it is restarted however often it fails: what has worked once can work again.
  void SetServed() { served_ = true; }

  ProcessState state() const { return state_; }
  bool ended() const { return state_ == ProcessState::kStopped || state_ == ProcessState::kFailed; }
  // When Tick has something to say; InfiniteFuture when only an event can change the state.
  absl::Time wake_at() const { return wake_at_; }
  int starts() const { return starts_; }
  int failures() const { return failures_; }
  // Failed because it was refused.
  bool refused() const { return refused_; }

 private:
  LifecycleOptions options_;
  ProcessState state_ = ProcessState::kWaiting;
  absl::Time wake_at_;
  absl::Time started_at_ = absl::InfiniteFuture();
  int starts_ = 0;
  int failures_ = 0;
  bool served_ = false;
  bool refused_ = false;
};

}  // namespace terminus::tools::cli
