#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "absl/types/span.h"

namespace terminus::services::router::dispatch {

// A ready replica, as placement sees it.
struct ReplicaLoad {
  int outstanding_batches = 0;
  int64_t outstanding_cost = 0;
  // Batches it takes at once, at least 1.
  int max_in_flight = 1;
  // It said that it is busy; not asked again before this time.
  absl::Time paused_until = absl::InfinitePast();
  // Grows with each batch sent by the pool; 0: none yet.
  uint64_t last_sent = 0;
};

inline bool IsOpen(const ReplicaLoad& load, absl::Time now) {
  return load.outstanding_batches < load.max_in_flight && load.paused_until <= now;
}

// The open replica with the least outstanding cost; of equals, the one that has waited longest.
std::optional<size_t> PickReplica(absl::Span<const ReplicaLoad> replicas, absl::Time now);

}  // namespace terminus::services::router::dispatch
