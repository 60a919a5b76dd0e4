#pragma once

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace terminus::base {

// Where time comes from. Decisions take their time from a Clock, so that tests never sleep.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;
};

class RealClock : public Clock {
 public:
  absl::Time Now() const override { return absl::Now(); }

  // One for the whole process; lives as long as it.
  static const RealClock& Get() {
    static const RealClock clock;
    return clock;
  }
};

// Stands still until it is advanced. Not thread-safe.
class FakeClock : public Clock {
 public:
  explicit FakeClock(absl::Time start = absl::UnixEpoch()) : now_(start) {}
  absl::Time Now() const override { return now_; }
  void Advance(absl::Duration by) { now_ += by; }

 private:
  absl::Time now_;
};

}  // namespace terminus::base
