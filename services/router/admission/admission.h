#pragma once

#include <cstdint>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/mutex.h"
#include "common/metrics/metrics.h"

namespace terminus::services::router::admission {

struct AdmissionLimits {
  int64_t max_items = 4096;
  int64_t max_bytes = int64_t{512} << 20;
  // What a refused caller is told to wait.
  absl::Duration retry_delay = absl::Milliseconds(100);
};

// What is inside, for whoever watches; null: nobody does.
struct AdmissionGauges {
  metrics::Gauge* items = nullptr;
  metrics::Gauge* bytes = nullptr;
};

class Admission;

// The right to have so many items and bytes inside; given back when it is destroyed.
class Permit {
 public:
  Permit() = default;
  Permit(Permit&& other) noexcept { *this = std::move(other); }
  Permit& operator=(Permit&& other) noexcept {
    std::swap(admission_, other.admission_);
    std::swap(items_, other.items_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Permit();

 private:
  friend class Admission;
  Permit(Admission* admission, int64_t items, int64_t bytes)
      : admission_(admission), items_(items), bytes_(bytes) {}

  Admission* admission_ = nullptr;
  int64_t items_ = 0;
  int64_t bytes_ = 0;
};

// Bounds what the router holds at once: refusal at the door instead of queues that grow.
// Thread-safe. Outlives its permits.
class Admission {
 public:
  explicit Admission(const AdmissionLimits& limits, const AdmissionGauges& gauges = {})
      : limits_(limits), gauges_(gauges) {}

  // All or nothing, at once. RESOURCE_EXHAUSTED otherwise, reason OVERLOADED: with a retry delay
  // when there will be room, without when the call is larger than all there is.
  absl::StatusOr<Permit> TryAdmit(int64_t items, int64_t bytes);

  struct Usage {
    int64_t items = 0;
    int64_t bytes = 0;
  };
  Usage usage() const;
  const AdmissionLimits& limits() const { return limits_; }

 private:
  friend class Permit;
  void Release(int64_t items, int64_t bytes);
  void Show() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const AdmissionLimits limits_;
  const AdmissionGauges gauges_;
  mutable base::Mutex mutex_;
  Usage used_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace terminus::services::router::admission
