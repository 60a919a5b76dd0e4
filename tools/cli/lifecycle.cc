#include "tools/cli/lifecycle.h"

#include <algorithm>
#include <cmath>

#include "common/base/check.h"

namespace terminus::tools::cli {

absl::Duration BackoffDelay(const BackoffOptions& options, int failures) {
  // Capped before the power overflows.
  const double factor = std::pow(options.factor, std::clamp(failures - 1, 0, 60));
  return std::min(options.max, options.initial * factor);
}

const char* ProcessStateName(ProcessState state) {
  switch (state) {
    case ProcessState::kWaiting:
      return "waiting";
    case ProcessState::kRunning:
      return "running";
    case ProcessState::kStopping:
      return "stopping";
    case ProcessState::kStopped:
      return "stopped";
    case ProcessState::kFailed:
      return "failed";
  }
  return "unknown";
}

Lifecycle::Action Lifecycle::Tick(absl::Time now) {
  if (now < wake_at_) {
    return Action::kNone;
  }
  switch (state_) {
    case ProcessState::kWaiting:
      return Action::kStart;
    case ProcessState::kStopping:
      wake_at_ = absl::InfiniteFuture();
      return Action::kKill;
    default:
      return Action::kNone;
  }
}

void Lifecycle::Started(absl::Time now) {
  TERMINUS_CHECK(state_ == ProcessState::kWaiting);
  state_ = ProcessState::kRunning;
  started_at_ = now;
  wake_at_ = absl::InfiniteFuture();
  ++starts_;
}

void Lifecycle::Exited(absl::Time now, bool refused) {
  if (state_ == ProcessState::kStopping) {
    state_ = ProcessState::kStopped;
    wake_at_ = absl::InfiniteFuture();
    return;
  }
  TERMINUS_CHECK(!ended());
  // A start that never came to be leaves started_at_ in the future: never stable.
  const bool stable = now - started_at_ >= options_.stable_after;
  failures_ = stable ? 1 : failures_ + 1;
  started_at_ = absl::InfiniteFuture();
  if (!served_ && (refused || failures_ >= options_.max_quick_failures)) {
    state_ = ProcessState::kFailed;
    refused_ = refused;
    wake_at_ = absl::InfiniteFuture();
    return;
  }
  state_ = ProcessState::kWaiting;
  wake_at_ = now + BackoffDelay(options_.backoff, failures_);
}

Lifecycle::Action Lifecycle::Stop(absl::Time now) {
  if (state_ == ProcessState::kWaiting) {
    state_ = ProcessState::kStopped;
    wake_at_ = absl::InfiniteFuture();
    return Action::kNone;
  }
  if (state_ == ProcessState::kRunning) {
    state_ = ProcessState::kStopping;
    wake_at_ = now + options_.stop_patience;
    return Action::kTerminate;
  }
  return Action::kNone;
}

}  // namespace terminus::tools::cli
