#include "services/router/dispatch/alarm.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"

namespace terminus::services::router::dispatch {

Alarm::Alarm(std::function<absl::Time()> tick)
    : tick_(std::move(tick)), thread_([this] { Run(); }) {}

Alarm::~Alarm() { Stop(); }

void Alarm::Stop() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void Alarm::WakeAt(absl::Time time) {
  {
    base::MutexLock lock(mutex_);
    if (time >= next_) {
      return;
    }
    next_ = time;
  }
  changed_.NotifyAll();
}

void Alarm::Run() {
  while (true) {
    {
      base::MutexLock lock(mutex_);
      while (!stopping_ && absl::Now() < next_) {
        changed_.WaitUntil(mutex_, next_);
      }
      if (stopping_) {
        return;
      }
      next_ = absl::InfiniteFuture();
    }
    WakeAt(tick_());
  }
}

}  // namespace terminus::services::router::dispatch
