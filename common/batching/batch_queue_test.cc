#include "common/batching/batch_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/clock.h"

namespace terminus::batching {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct NamedTask : Task {
  int name = 0;
};

int NameOf(const std::unique_ptr<Task>& task) { return static_cast<NamedTask&>(*task).name; }

std::vector<int> Names(const std::vector<std::unique_ptr<Task>>& tasks) {
  std::vector<int> names;
  for (const auto& task : tasks) names.push_back(NameOf(task));
  return names;
}

class BatchQueueTest : public ::testing::Test {
 protected:
  void Push(int name, absl::Duration left = absl::Seconds(60),
            std::shared_ptr<const CancelFlag> cancel = nullptr) {
    auto task = std::make_unique<NamedTask>();
    task->name = name;
    task->cost = 10;
    task->deadline = clock_.Now() + left;
    task->cancel = std::move(cancel);
    queue_.Push(std::move(task), clock_.Now());
  }

  std::optional<Batch> Take() { return queue_.TakeBatch(clock_.Now(), 1, 1, departed_); }

  std::vector<int> DepartedNames() const {
    std::vector<int> names;
    for (const auto& departure : departed_) names.push_back(NameOf(departure.task));
    return names;
  }

  base::FakeClock clock_;
  BatchQueue queue_{
      {.limits = {.max_items = 3, .max_cost = 1000}, .min_time_left = absl::Milliseconds(1)}};
  std::vector<Departure> departed_;
};

TEST_F(BatchQueueTest, BatchesInOrderOfArrival) {
  for (int i = 0; i < 5; ++i) Push(i);
  EXPECT_THAT(Names(Take()->tasks), ElementsAre(0, 1, 2));
  EXPECT_THAT(Names(Take()->tasks), ElementsAre(3, 4));
  EXPECT_EQ(Take(), std::nullopt);
  EXPECT_TRUE(queue_.empty());
}

TEST_F(BatchQueueTest, WhatIsHeldForABusyReplicaIsKnownAhead) {
  queue_.ObserveBatchTime(absl::Milliseconds(100));
  Push(0);
  EXPECT_EQ(queue_.TakeBatch(clock_.Now(), 1, 0, departed_), std::nullopt);
  EXPECT_EQ(queue_.held_until(), clock_.Now() + absl::Milliseconds(25));
  clock_.Advance(absl::Milliseconds(25));
  EXPECT_THAT(Names(queue_.TakeBatch(clock_.Now(), 1, 0, departed_)->tasks), ElementsAre(0));
  EXPECT_EQ(queue_.held_until(), absl::InfiniteFuture());
}

TEST_F(BatchQueueTest, NothingLeavesWithoutAReplica) {
  Push(0);
  EXPECT_EQ(queue_.TakeBatch(clock_.Now(), 0, 0, departed_), std::nullopt);
  EXPECT_EQ(queue_.stats().queued_items, 1u);
  EXPECT_EQ(queue_.stats().queued_cost, 10);
}

TEST_F(BatchQueueTest, ExpiryIsKnownAheadAndExact) {
  Push(0, absl::Milliseconds(100));
  Push(1, absl::Milliseconds(50));
  EXPECT_EQ(queue_.next_expiry(), clock_.Now() + absl::Milliseconds(49));
  clock_.Advance(absl::Milliseconds(49) - absl::Nanoseconds(1));
  queue_.Sweep(clock_.Now(), departed_);
  EXPECT_THAT(departed_, IsEmpty());
  clock_.Advance(absl::Nanoseconds(1));
  queue_.Sweep(clock_.Now(), departed_);
  EXPECT_THAT(DepartedNames(), ElementsAre(1));
  EXPECT_EQ(departed_[0].reason, Departure::Reason::kExpired);
  EXPECT_EQ(queue_.next_expiry(), clock_.Now() + absl::Milliseconds(50));
}

TEST_F(BatchQueueTest, ExpiredTasksAreInNoBatch) {
  Push(0, absl::Milliseconds(10));
  Push(1);
  clock_.Advance(absl::Milliseconds(10));
  EXPECT_THAT(Names(Take()->tasks), ElementsAre(1));
  EXPECT_THAT(DepartedNames(), ElementsAre(0));
  EXPECT_EQ(queue_.stats().expired, 1u);
}

TEST_F(BatchQueueTest, CancelledTasksLeaveOnSweep) {
  auto cancel = std::make_shared<CancelFlag>();
  Push(0);
  Push(1, absl::Seconds(60), cancel);
  Push(2);
  cancel->Raise();
  queue_.Sweep(clock_.Now(), departed_);
  EXPECT_THAT(DepartedNames(), ElementsAre(1));
  EXPECT_EQ(departed_[0].reason, Departure::Reason::kCancelled);
  EXPECT_THAT(Names(Take()->tasks), ElementsAre(0, 2));
  EXPECT_EQ(queue_.stats().cancelled, 1u);
}

TEST_F(BatchQueueTest, CancelledTasksAreInNoBatchEvenUnswept) {
  auto cancel = std::make_shared<CancelFlag>();
  Push(0, absl::Seconds(60), cancel);
  cancel->Raise();
  const std::optional<Batch> batch = Take();
  ASSERT_NE(batch, std::nullopt);
  EXPECT_THAT(batch->tasks, IsEmpty());
  EXPECT_THAT(DepartedNames(), ElementsAre(0));
  EXPECT_EQ(queue_.stats().queued_cost, 0);
}

TEST_F(BatchQueueTest, WhatIsPutBackIsNextAndKeepsItsTime) {
  Push(0);
  Push(1);
  clock_.Advance(absl::Milliseconds(5));
  Batch batch = *Take();
  Push(2);
  const absl::Time enqueued = batch.tasks[0]->enqueued;
  queue_.PutBack(std::move(batch.tasks));
  Batch again = *Take();
  EXPECT_THAT(Names(again.tasks), ElementsAre(0, 1, 2));
  EXPECT_EQ(again.tasks[0]->enqueued, enqueued);
  EXPECT_EQ(again.cost, 30);
}

TEST_F(BatchQueueTest, PutBackTasksStillExpire) {
  Push(0, absl::Milliseconds(20));
  Batch batch = *Take();
  EXPECT_EQ(queue_.next_expiry(), absl::InfiniteFuture());
  queue_.PutBack(std::move(batch.tasks));
  EXPECT_EQ(queue_.next_expiry(), clock_.Now() + absl::Milliseconds(19));
}

TEST_F(BatchQueueTest, UrgentTaskGoesAheadByObservedBatchTime) {
  queue_.ObserveBatchTime(absl::Milliseconds(40));
  for (int i = 0; i < 4; ++i) Push(i);
  Push(4, absl::Milliseconds(60));
  Batch batch = *Take();
  EXPECT_THAT(Names(batch.tasks), ElementsAre(0, 1, 4));
  EXPECT_EQ(batch.reason, CloseReason::kDeadline);
  EXPECT_THAT(Names(Take()->tasks), ElementsAre(2, 3));
}

TEST_F(BatchQueueTest, StatsTellWhatClosedBatches) {
  for (int i = 0; i < 4; ++i) Push(i);
  clock_.Advance(absl::Milliseconds(8));
  Take();
  Take();
  const QueueStats stats = queue_.stats();
  EXPECT_EQ(stats.closed_by_items, 1u);
  EXPECT_EQ(stats.closed_by_idle_replica, 1u);
  EXPECT_DOUBLE_EQ(stats.mean_batch_items, 2.0);
  EXPECT_EQ(stats.mean_queue_time, absl::Milliseconds(8));
}

TEST_F(BatchQueueTest, MeansForgetOldBatches) {
  for (int i = 0; i < 3; ++i) Push(i);
  Take();
  for (int i = 0; i < 128; ++i) {
    Push(i);
    Take();
  }
  EXPECT_DOUBLE_EQ(queue_.stats().mean_batch_items, 1.0);
}

TEST_F(BatchQueueTest, TakeAllLeavesItEmpty) {
  Push(0);
  Push(1);
  EXPECT_THAT(Names(queue_.TakeAll()), ElementsAre(0, 1));
  EXPECT_TRUE(queue_.empty());
  EXPECT_EQ(queue_.stats().queued_cost, 0);
  EXPECT_EQ(queue_.next_expiry(), absl::InfiniteFuture());
}

}  // namespace
}  // namespace terminus::batching
