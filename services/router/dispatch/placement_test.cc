#include "services/router/dispatch/placement.h"

#include <gtest/gtest.h>

namespace terminus::services::router::dispatch {
namespace {

const absl::Time kNow = absl::UnixEpoch() + absl::Hours(1);

TEST(PlacementTest, LeastCostAmongTheOpen) {
  const ReplicaLoad replicas[] = {
      {.outstanding_batches = 1, .outstanding_cost = 5, .max_in_flight = 1},
      {.outstanding_batches = 1, .outstanding_cost = 30, .max_in_flight = 2},
      {.outstanding_batches = 1, .outstanding_cost = 20, .max_in_flight = 2}};
  EXPECT_EQ(PickReplica(replicas, kNow), 2u);
}

TEST(PlacementTest, EqualsTakeTurns) {
  const ReplicaLoad replicas[] = {{.last_sent = 9}, {.last_sent = 3}, {.last_sent = 4}};
  EXPECT_EQ(PickReplica(replicas, kNow), 1u);
}

TEST(PlacementTest, PausedUntilItsTime) {
  const ReplicaLoad replicas[] = {{.paused_until = kNow + absl::Milliseconds(1)}};
  EXPECT_EQ(PickReplica(replicas, kNow), std::nullopt);
  EXPECT_EQ(PickReplica(replicas, kNow + absl::Milliseconds(1)), 0u);
}

TEST(PlacementTest, NoneOpen) {
  const ReplicaLoad replicas[] = {{.outstanding_batches = 2, .max_in_flight = 2}};
  EXPECT_EQ(PickReplica(replicas, kNow), std::nullopt);
  EXPECT_EQ(PickReplica({}, kNow), std::nullopt);
}

}  // namespace
}  // namespace terminus::services::router::dispatch
