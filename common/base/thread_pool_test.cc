#include "common/base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <numeric>
#include <vector>

namespace terminus::base {
namespace {

TEST(ThreadPool, ParallelForCallsEachIndexOnce) {
  ThreadPool pool("test", 3, 8);
  std::vector<int> calls(1000);
  pool.ParallelFor(1000, [&](int i) { ++calls[i]; });
  EXPECT_EQ(calls, std::vector<int>(1000, 1));
}

TEST(ThreadPool, ParallelForOfNothingReturns) {
  ThreadPool pool("test", 1, 1);
  pool.ParallelFor(0, [](int) { FAIL(); });
}

TEST(ThreadPool, ParallelForMayNestOnAFullPool) {
  ThreadPool pool("test", 1, 1);
  std::atomic<int> sum{0};
  pool.ParallelFor(4, [&](int) { pool.ParallelFor(4, [&](int j) { sum += j; }); });
  EXPECT_EQ(sum, 4 * (0 + 1 + 2 + 3));
}

TEST(ThreadPool, DestructionRunsWhatWasAccepted) {
  std::atomic<int> ran{0};
  int accepted = 0;
  {
    ThreadPool pool("test", 2, 4);
    for (int i = 0; i < 100; ++i) {
      accepted += pool.TrySchedule([&] { ++ran; });
    }
  }
  EXPECT_EQ(ran, accepted);
  EXPECT_GE(accepted, 4);
}

}  // namespace
}  // namespace terminus::base
