#include "models/kernels/phases.h"

#include <ATen/Parallel.h>

#include <atomic>
#include <vector>

#include "gtest/gtest.h"

namespace terminus::models::kernels {
namespace {

// Runs `units` and checks that each ran once, after all of the phases before.
void CheckPhases(const std::vector<int>& units) {
  std::vector<std::vector<std::atomic<int>>> ran;
  for (const int count : units) {
    ran.emplace_back(count);
  }
  std::atomic<bool> early = false;
  RunPhases(units, [&](int phase, int unit, int) {
    for (int before = 0; before < phase; ++before) {
      for (const auto& times : ran[before]) {
        early = early || times != 1;
      }
    }
    ++ran[phase][unit];
  });
  EXPECT_FALSE(early);
  for (const auto& phase : ran) {
    for (const auto& times : phase) {
      EXPECT_EQ(times, 1);
    }
  }
}

TEST(PhasesTest, EachUnitRunsOnceAfterThePhasesBefore) {
  CheckPhases({});
  CheckPhases({0});
  CheckPhases({1});
  CheckPhases({5, 0, 1, 7, 2});
  std::vector<int> many(200, 3);
  for (int round = 0; round < 50; ++round) {
    CheckPhases(many);
  }
}

TEST(PhasesTest, WorkersRunOneUnitAtATime) {
  std::vector<std::atomic<int>> busy(at::get_num_threads());
  std::atomic<bool> twice = false;
  RunPhases(std::vector<int>(100, 4), [&](int, int, int worker) {
    twice = twice || busy[worker]++ != 0;
    --busy[worker];
  });
  EXPECT_FALSE(twice);
}

// Inside another parallel region there is one thread, which is to do everything.
TEST(PhasesTest, RunsWhereThreadsAreLacking) {
  at::parallel_for(0, 2, 1, [](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      CheckPhases({3, 2, 5});
    }
  });
}

}  // namespace
}  // namespace terminus::models::kernels
