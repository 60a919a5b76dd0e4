#include "common/batching/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace terminus::batching {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const absl::Time kNow = absl::UnixEpoch() + absl::Hours(1);

class PolicyTest : public ::testing::Test {
 protected:
  void Wait(int64_t cost, absl::Duration left = absl::InfiniteDuration()) {
    waiting_.push_back({.cost = cost, .deadline = kNow + left});
    snapshot_.waiting_cost += cost;
  }

  BatchPlan Plan() {
    snapshot_.now = kNow;
    snapshot_.waiting = waiting_;
    return PlanBatch(limits_, snapshot_);
  }

  BatchLimits limits_{.max_items = 4, .max_cost = 100};
  Snapshot snapshot_{.open_replicas = 1, .idle_replicas = 1};
  std::vector<TaskView> waiting_;
};

TEST_F(PolicyTest, NothingWaits) { EXPECT_THAT(Plan().picks, IsEmpty()); }

TEST_F(PolicyTest, NoReplicaIsOpen) {
  Wait(1);
  snapshot_.open_replicas = snapshot_.idle_replicas = 0;
  EXPECT_THAT(Plan().picks, IsEmpty());
}

TEST_F(PolicyTest, OneTaskDoesNotWaitForMore) {
  Wait(7);
  const BatchPlan plan = Plan();
  EXPECT_THAT(plan.picks, ElementsAre(0));
  EXPECT_EQ(plan.cost, 7);
  EXPECT_EQ(plan.reason, CloseReason::kIdleReplica);
}

TEST_F(PolicyTest, FullByItems) {
  for (int i = 0; i < 6; ++i) Wait(1);
  const BatchPlan plan = Plan();
  EXPECT_THAT(plan.picks, ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(plan.reason, CloseReason::kItems);
}

TEST_F(PolicyTest, FullByCostInOrderOfArrival) {
  Wait(60);
  Wait(50);
  Wait(10);
  const BatchPlan plan = Plan();
  // The small one must not overtake: the large one would starve.
  EXPECT_THAT(plan.picks, ElementsAre(0));
  EXPECT_EQ(plan.reason, CloseReason::kCost);
}

TEST_F(PolicyTest, TaskOverTheLimitGoesAlone) {
  Wait(500);
  Wait(1);
  EXPECT_THAT(Plan().picks, ElementsAre(0));
}

TEST_F(PolicyTest, FullByBytes) {
  limits_.max_bytes = 1000;
  for (int i = 0; i < 3; ++i) {
    Wait(1);
    waiting_.back().bytes = 500;
  }
  const BatchPlan plan = Plan();
  EXPECT_THAT(plan.picks, ElementsAre(0, 1));
  EXPECT_EQ(plan.reason, CloseReason::kItems);
}

TEST_F(PolicyTest, ExactlyFullIsNotCutOff) {
  for (int i = 0; i < 4; ++i) Wait(25);
  const BatchPlan plan = Plan();
  EXPECT_THAT(plan.picks, ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(plan.reason, CloseReason::kIdleReplica);
}

TEST_F(PolicyTest, TasksThatWouldMissTheirDeadlineGoFirst) {
  snapshot_.batch_time = absl::Milliseconds(100);
  for (int i = 0; i < 5; ++i) Wait(1, absl::Seconds(10));
  Wait(1, absl::Milliseconds(190));
  Wait(1, absl::Milliseconds(150));
  Wait(1, absl::Milliseconds(210));
  const BatchPlan plan = Plan();
  EXPECT_THAT(plan.picks, ElementsAre(0, 1, 5, 6));
  EXPECT_EQ(plan.reason, CloseReason::kDeadline);
}

TEST_F(PolicyTest, NearestDeadlineFirstWhenTooManyAreUrgent) {
  snapshot_.batch_time = absl::Milliseconds(100);
  limits_.max_items = 2;
  Wait(1, absl::Milliseconds(140));
  Wait(1, absl::Milliseconds(130));
  Wait(1, absl::Milliseconds(120));
  Wait(1, absl::Milliseconds(110));
  EXPECT_THAT(Plan().picks, ElementsAre(2, 3));
}

TEST_F(PolicyTest, DeadlinesDoNotMatterWhenAllFits) {
  snapshot_.batch_time = absl::Milliseconds(100);
  Wait(1, absl::Seconds(10));
  Wait(1, absl::Milliseconds(50));
  EXPECT_EQ(Plan().reason, CloseReason::kIdleReplica);
}

TEST_F(PolicyTest, ABusyReplicasNextBatchIsHeldToFillUp) {
  snapshot_.idle_replicas = 0;
  snapshot_.batch_time = absl::Milliseconds(100);
  Wait(1);
  Wait(1);
  waiting_[0].enqueued = kNow - absl::Milliseconds(20);
  waiting_[1].enqueued = kNow;
  EXPECT_THAT(Plan().picks, IsEmpty());
  EXPECT_EQ(Plan().held_until, kNow + absl::Milliseconds(5));
  waiting_[0].enqueued = kNow - absl::Milliseconds(25);
  EXPECT_THAT(Plan().picks, ElementsAre(0, 1));
  // An idle replica is not kept waiting.
  waiting_[0].enqueued = kNow;
  snapshot_.idle_replicas = 1;
  EXPECT_THAT(Plan().picks, ElementsAre(0, 1));
}

TEST_F(PolicyTest, AFullBatchIsNotHeld) {
  snapshot_.idle_replicas = 0;
  snapshot_.batch_time = absl::Milliseconds(100);
  for (int i = 0; i < 4; ++i) {
    EXPECT_THAT(Plan().picks, IsEmpty());
    Wait(1);
    waiting_.back().enqueued = kNow;
  }
  EXPECT_THAT(Plan().picks, ElementsAre(0, 1, 2, 3));
  // By cost: a third one would exceed it.
  waiting_.clear();
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(Plan().picks, IsEmpty());
    Wait(40);
    waiting_.back().enqueued = kNow;
  }
  EXPECT_THAT(Plan().picks, ElementsAre(0, 1));
}

TEST_F(PolicyTest, NothingIsHeldPastItsDeadline) {
  snapshot_.idle_replicas = 0;
  snapshot_.batch_time = absl::Milliseconds(100);
  Wait(1);
  Wait(1, absl::Milliseconds(190));
  for (TaskView& task : waiting_) {
    task.enqueued = kNow;
  }
  EXPECT_THAT(Plan().picks, ElementsAre(0, 1));
}

TEST_F(PolicyTest, IdleReplicasShareByCost) {
  snapshot_.open_replicas = snapshot_.idle_replicas = 2;
  Wait(10);
  Wait(10);
  Wait(20);
  const BatchPlan plan = Plan();
  EXPECT_THAT(plan.picks, ElementsAre(0, 1));
  EXPECT_EQ(plan.reason, CloseReason::kIdleReplica);
}

TEST_F(PolicyTest, MoreIdleReplicasThanTasks) {
  snapshot_.open_replicas = snapshot_.idle_replicas = 5;
  Wait(1);
  Wait(1);
  EXPECT_THAT(Plan().picks, ElementsAre(0));
}

}  // namespace
}  // namespace terminus::batching
