#include "models/kernels/team/thread_team.h"

#include <numeric>
#include <vector>

#include "gtest/gtest.h"

namespace terminus::models::kernels {
namespace {

class ThreadTeamTest : public testing::TestWithParam<int> {};

// Every phase reads what any member wrote in the one before; a lost or doubled part, or a member
// that runs ahead, changes the numbers.
TEST_P(ThreadTeamTest, PhasesSeeWhatCameBefore) {
  constexpr int kCount = 37;
  constexpr int kPhases = 200;
  ThreadTeam team(GetParam());
  EXPECT_EQ(team.size(), GetParam());
  for (int run = 0; run < 5; ++run) {
    std::vector<int64_t> values(kCount, 1);
    std::vector<int64_t> next(kCount, 0);
    team.Run([&](ThreadTeam::Member& member) {
      for (int phase = 0; phase < kPhases; ++phase) {
        member.ForEach(kCount, 1 + phase % 5, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) {
            next[i] += values[(i + phase) % kCount] + phase;
          }
        });
        member.ForEach(kCount, 4, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) {
            values[i] = next[i] % 1000003;
          }
        });
      }
    });
    std::vector<int64_t> expected(kCount, 1);
    std::vector<int64_t> expected_next(kCount, 0);
    for (int phase = 0; phase < kPhases; ++phase) {
      for (int i = 0; i < kCount; ++i) {
        expected_next[i] += expected[(i + phase) % kCount] + phase;
      }
      for (int i = 0; i < kCount; ++i) {
        expected[i] = expected_next[i] % 1000003;
      }
    }
    ASSERT_EQ(values, expected) << "run " << run;
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, ThreadTeamTest, testing::Values(1, 2, 3, 5));

TEST(ThreadTeam, EmptyPhasesAndRuns) {
  ThreadTeam team(3);
  int calls = 0;
  team.Run([](ThreadTeam::Member&) {});
  team.Run([&](ThreadTeam::Member& member) {
    member.ForEach(0, 8, [&](int64_t, int64_t) { ++calls; });
  });
  EXPECT_EQ(calls, 0);
}

}  // namespace
}  // namespace terminus::models::kernels
