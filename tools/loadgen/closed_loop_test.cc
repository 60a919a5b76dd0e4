#include "tools/loadgen/closed_loop.h"

#include <atomic>

#include "common/base/thread_pool.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace terminus::tools::loadgen {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

LoopOptions Short(int clients) {
  return {.clients = clients,
          .warmup = absl::ZeroDuration(),
          .duration = absl::Milliseconds(100),
          .drain = absl::Seconds(10)};
}

TEST(ClosedLoopTest, EachClientHasOneCallInFlight) {
  base::ThreadPool pool("calls", 2, 64);
  std::vector<std::atomic<int>> in_flight(4);
  std::atomic<bool> overlapped = false;
  auto report = RunClosedLoop(Short(4), [&](int client, int64_t, DoneCallback done) {
    if (in_flight[client].fetch_add(1) != 0) {
      overlapped = true;
    }
    EXPECT_TRUE(pool.TrySchedule([&, client, done] {
      in_flight[client].fetch_sub(1);
      done({.items = {{absl::StatusCode::kOk, 3}}});
    }));
  });
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_FALSE(overlapped);
  EXPECT_GT(report->calls_ok, 4);
  EXPECT_EQ(report->items_ok, 3 * report->calls_ok);
  EXPECT_EQ(report->latency.count(), report->calls_ok);
  EXPECT_DOUBLE_EQ(report->calls_per_second(), report->calls_ok / 0.1);
}

TEST(ClosedLoopTest, CountsErrorsByCode) {
  base::ThreadPool pool("calls", 1, 64);
  auto report = RunClosedLoop(Short(1), [&](int, int64_t sequence, DoneCallback done) {
    EXPECT_TRUE(pool.TrySchedule([sequence, done] {
      if (sequence % 2 == 0) {
        done({.code = absl::StatusCode::kUnavailable});
      } else {
        done({.items = {{absl::StatusCode::kOk, 1}, {absl::StatusCode::kInvalidArgument, 2}}});
      }
    }));
  });
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_GT(report->calls_ok, 0);
  EXPECT_EQ(report->items_ok, report->calls_ok);
  EXPECT_THAT(report->item_errors,
              ElementsAre(Pair(absl::StatusCode::kInvalidArgument, 2 * report->calls_ok)));
  ASSERT_EQ(report->call_errors.size(), 1u);
  EXPECT_NEAR(report->call_errors[absl::StatusCode::kUnavailable], report->calls_ok, 1);
}

TEST(ClosedLoopTest, WarmupIsNotCounted) {
  base::ThreadPool pool("calls", 1, 64);
  LoopOptions options = Short(1);
  options.warmup = absl::Milliseconds(50);
  const absl::Time warm = absl::Now() + options.warmup;
  std::atomic<int64_t> early = 0;
  std::atomic<int64_t> all = 0;
  auto report = RunClosedLoop(options, [&](int, int64_t, DoneCallback done) {
    EXPECT_TRUE(pool.TrySchedule([&, done] {
      ++all;
      if (absl::Now() < warm) {
        ++early;
      }
      done({});
    }));
  });
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_GT(early, 0);
  EXPECT_LE(report->calls_ok, all - early + 1);
}

TEST(ClosedLoopTest, CallThatIsNeverAnsweredEndsTheRun) {
  LoopOptions options = Short(2);
  options.duration = absl::Milliseconds(1);
  options.drain = absl::Milliseconds(1);
  auto report = RunClosedLoop(options, [](int, int64_t, DoneCallback) {});
  EXPECT_EQ(report.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(report.status().message()), testing::HasSubstr("2 of 2"));
}

TEST(ClosedLoopTest, RefusesNonsense) {
  EXPECT_FALSE(RunClosedLoop(Short(0), nullptr).ok());
  LoopOptions options = Short(1);
  options.duration = absl::ZeroDuration();
  EXPECT_FALSE(RunClosedLoop(options, nullptr).ok());
}

}  // namespace
}  // namespace terminus::tools::loadgen
