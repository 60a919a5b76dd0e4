#include "models/decoder/team_exchange.h"

#include <atomic>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace terminus::models::decoder {
namespace {

using kernels::ThreadTeam;

// Doubles numbers, as two equal ranks do, until some call.
class DoublingGroup : public TensorGroup {
 public:
  explicit DoublingGroup(int good_calls) : good_calls_(good_calls) {}

  int rank() const override { return 0; }
  int size() const override { return 2; }

  absl::Status AllReduceSum(float* data, int64_t count) override {
    for (int64_t i = 0; i < count; ++i) {
      data[i] *= 2;
    }
    return ++calls > good_calls_ ? absl::UnavailableError("gone") : absl::OkStatus();
  }

  absl::Status AllGather(const float* part, int64_t count, float* whole) override {
    for (int64_t i = 0; i < count; ++i) {
      whole[i] = whole[count + i] = part[i];
    }
    return ++calls > good_calls_ ? absl::UnavailableError("gone") : absl::OkStatus();
  }

  int calls = 0;

 private:
  const int good_calls_;
};

class TeamExchangeTest : public testing::TestWithParam<int> {
 protected:
  static constexpr int kCount = 37;

  // Adds one to each number and doubles it, `rounds` times; then copies all to both halves.
  void Run(TeamExchange& exchange, int rounds) {
    team_.Run([&](ThreadTeam::Member& member) {
      for (int round = 0; round < rounds && !exchange.failed(); ++round) {
        member.ForEach(kCount, 3, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) {
            values_[i] += 1;
          }
        });
        exchange.AllReduceSum(member, values_.data(), kCount);
      }
      if (exchange.divided()) {
        exchange.AllGather(member, values_.data(), kCount, both_.data());
      }
    });
  }

  ThreadTeam team_{GetParam()};
  std::vector<float> values_ = std::vector<float>(kCount, 0.0f);
  std::vector<float> both_ = std::vector<float>(2 * kCount, -1.0f);
};

TEST_P(TeamExchangeTest, OneMemberCallsAndAllSeeTheResult) {
  const auto group = std::make_shared<DoublingGroup>(1 << 20);
  TeamExchange exchange(group);
  for (int run = 0; run < 50; ++run) {
    values_.assign(kCount, 0);
    Run(exchange, 10);
    ASSERT_EQ(both_, std::vector<float>(2 * kCount, 2046.0f));
  }
  EXPECT_EQ(group->calls, 50 * 11);
  EXPECT_TRUE(exchange.status().ok());
}

TEST_P(TeamExchangeTest, NothingIsCalledAfterAnError) {
  for (int good = 0; good < 10; ++good) {
    const auto group = std::make_shared<DoublingGroup>(good);
    TeamExchange exchange(group);
    Run(exchange, 10);
    EXPECT_TRUE(exchange.failed());
    EXPECT_EQ(exchange.status(),
              absl::UnavailableError("rank 0 of a tensor group of 2, all-reduce: gone"));
    EXPECT_EQ(group->calls, good + 1);
    EXPECT_EQ(both_[0], -1);
    // The team computes on.
    Run(exchange, 10);
    EXPECT_EQ(group->calls, good + 1);
  }
}

TEST_P(TeamExchangeTest, WithoutAGroupNothingIsExchanged) {
  TeamExchange exchange(nullptr);
  EXPECT_FALSE(exchange.divided());
  Run(exchange, 10);
  EXPECT_EQ(values_, std::vector<float>(kCount, 10.0f));
  EXPECT_FALSE(exchange.failed());
}

INSTANTIATE_TEST_SUITE_P(Threads, TeamExchangeTest, testing::Values(1, 2, 4));

}  // namespace
}  // namespace terminus::models::decoder
