#include "services/router/dispatch/placement.h"

#include <tuple>

namespace terminus::services::router::dispatch {

std::optional<size_t> PickReplica(absl::Span<const ReplicaLoad> replicas, absl::Time now) {
  const auto rank = [](const ReplicaLoad& load) {
    return std::make_tuple(load.outstanding_cost, load.outstanding_batches, load.last_sent);
  };
  std::optional<size_t> best;
  for (size_t i = 0; i < replicas.size(); ++i) {
    if (IsOpen(replicas[i], now) && (!best || rank(replicas[i]) < rank(replicas[*best]))) {
      best = i;
    }
  }
  return best;
}

}  // namespace terminus::services::router::dispatch
