#include "tools/cli/lifecycle.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace terminus::tools::cli {
namespace {

using Action = Lifecycle::Action;

TEST(BackoffTest, GrowsByTheFactorUpToTheLimit) {
  const BackoffOptions options{.initial = absl::Milliseconds(100), .max = absl::Seconds(1)};
  EXPECT_EQ(BackoffDelay(options, 1), absl::Milliseconds(100));
  EXPECT_EQ(BackoffDelay(options, 2), absl::Milliseconds(200));
  EXPECT_EQ(BackoffDelay(options, 4), absl::Milliseconds(800));
  EXPECT_EQ(BackoffDelay(options, 5), absl::Seconds(1));
  EXPECT_EQ(BackoffDelay(options, 1'000'000), absl::Seconds(1));
}

class LifecycleTest : public testing::Test {
 protected:
  // Starts it when its time has come, and lets it exit after `ran`.
  void RunFor(absl::Duration ran, bool refused = false) {
    now_ = std::max(now_, lifecycle_.wake_at());
    ASSERT_EQ(lifecycle_.Tick(now_), Action::kStart);
    lifecycle_.Started(now_);
    now_ += ran;
    lifecycle_.Exited(now_, refused);
  }

  LifecycleOptions options_{.backoff = {.initial = absl::Milliseconds(100)},
                            .stable_after = absl::Seconds(10),
                            .max_quick_failures = 3,
                            .stop_patience = absl::Seconds(5)};
  absl::Time now_ = absl::UnixEpoch();
  Lifecycle lifecycle_{options_, now_};
};

TEST_F(LifecycleTest, StartsAtOnceAndRestartsWithBackoff) {
  RunFor(absl::Seconds(1));
  EXPECT_EQ(lifecycle_.state(), ProcessState::kWaiting);
  EXPECT_EQ(lifecycle_.wake_at() - now_, absl::Milliseconds(100));
  EXPECT_EQ(lifecycle_.Tick(now_ + absl::Milliseconds(99)), Action::kNone);
  RunFor(absl::Seconds(1));
  EXPECT_EQ(lifecycle_.wake_at() - now_, absl::Milliseconds(200));
  EXPECT_EQ(lifecycle_.starts(), 2);
}

TEST_F(LifecycleTest, GivesUpAfterQuickFailures) {
  RunFor(absl::Seconds(1));
  RunFor(absl::Seconds(1));
  RunFor(absl::Seconds(1));
  EXPECT_EQ(lifecycle_.state(), ProcessState::kFailed);
  EXPECT_TRUE(lifecycle_.ended());
  EXPECT_EQ(lifecycle_.Tick(now_ + absl::Hours(1)), Action::kNone);
}

TEST_F(LifecycleTest, GivesUpAtOnceOnWhatIsRefused) {
  RunFor(absl::Seconds(1));
  EXPECT_FALSE(lifecycle_.refused());
  RunFor(absl::Seconds(1), /*refused=*/true);
  EXPECT_EQ(lifecycle_.state(), ProcessState::kFailed);
  EXPECT_TRUE(lifecycle_.refused());
}

TEST_F(LifecycleTest, WhatHasServedIsTriedAgainThoughRefused) {
  lifecycle_.SetServed();
  RunFor(absl::Seconds(1), /*refused=*/true);
  EXPECT_EQ(lifecycle_.state(), ProcessState::kWaiting);
  EXPECT_FALSE(lifecycle_.refused());
}

TEST_F(LifecycleTest, StartThatFailsIsAQuickFailure) {
  for (int i = 0; i < 3; ++i) {
    now_ = std::max(now_, lifecycle_.wake_at());
    ASSERT_EQ(lifecycle_.Tick(now_), Action::kStart);
    lifecycle_.Exited(now_);
  }
  EXPECT_EQ(lifecycle_.state(), ProcessState::kFailed);
  EXPECT_EQ(lifecycle_.starts(), 0);
}

TEST_F(LifecycleTest, StableRunForgetsFailures) {
  RunFor(absl::Seconds(1));
  RunFor(absl::Seconds(1));
  RunFor(absl::Seconds(10));
  EXPECT_EQ(lifecycle_.state(), ProcessState::kWaiting);
  EXPECT_EQ(lifecycle_.wake_at() - now_, absl::Milliseconds(100));
}

TEST_F(LifecycleTest, WhatHasServedIsNeverGivenUp) {
  lifecycle_.SetServed();
  for (int i = 0; i < 20; ++i) {
    RunFor(absl::Seconds(1));
  }
  EXPECT_EQ(lifecycle_.state(), ProcessState::kWaiting);
  EXPECT_EQ(lifecycle_.wake_at() - now_, absl::Seconds(10));
}

TEST_F(LifecycleTest, StopTerminatesThenKills) {
  ASSERT_EQ(lifecycle_.Tick(now_), Action::kStart);
  lifecycle_.Started(now_);
  EXPECT_EQ(lifecycle_.Stop(now_), Action::kTerminate);
  EXPECT_EQ(lifecycle_.Stop(now_), Action::kNone);
  EXPECT_EQ(lifecycle_.Tick(now_ + absl::Seconds(4)), Action::kNone);
  EXPECT_EQ(lifecycle_.Tick(now_ + absl::Seconds(5)), Action::kKill);
  EXPECT_EQ(lifecycle_.Tick(now_ + absl::Seconds(6)), Action::kNone);
  lifecycle_.Exited(now_ + absl::Seconds(6));
  EXPECT_EQ(lifecycle_.state(), ProcessState::kStopped);
}

TEST_F(LifecycleTest, StopWhileWaitingStopsAtOnce) {
  EXPECT_EQ(lifecycle_.Stop(now_), Action::kNone);
  EXPECT_EQ(lifecycle_.state(), ProcessState::kStopped);
  EXPECT_EQ(lifecycle_.Tick(now_), Action::kNone);
}

}  // namespace
}  // namespace terminus::tools::cli
