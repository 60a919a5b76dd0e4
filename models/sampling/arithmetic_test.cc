#include "models/sampling/arithmetic.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace terminus::models::sampling {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(Arithmetic, KeysOrderAsLogitsDo) {
  const std::vector<float> ascending = {-kInfinity, -3e38f,
                                        -1,         -std::numeric_limits<float>::denorm_min(),
                                        0,          std::numeric_limits<float>::denorm_min(),
                                        1,          std::nextafter(1.0f, 2.0f),
                                        3e38f,      kInfinity};
  for (size_t i = 0; i + 1 < ascending.size(); ++i) {
    EXPECT_LT(KeyOf(ascending[i]), KeyOf(ascending[i + 1])) << ascending[i];
    EXPECT_EQ(LogitOf(KeyOf(ascending[i])), ascending[i]);
  }
  EXPECT_EQ(KeyOf(-0.0f), KeyOf(0.0f));
  EXPECT_GT(KeyOf(-kInfinity), 0u);
  for (const float nan : {std::nanf(""), -std::nanf("")}) {
    EXPECT_EQ(KeyOf(nan), kNanKey);
    EXPECT_GT(KeyOf(nan), KeyOf(kInfinity));
  }
}

TEST(Arithmetic, WeightsAreProbabilitiesToTheLastBit) {
  for (const float temperature : {0.1f, 1.0f, 7.0f}) {
    const double scale = WeightScale(temperature);
    for (int i = 0; i <= 100'000; ++i) {
      const float logit = 5 - 4e-4f * static_cast<float>(i);
      const double exact = std::exp((double{logit} - 5.0) / temperature);
      // Half a unit, and what the series leaves out.
      ASSERT_NEAR(static_cast<double>(Weight(logit, 5, scale)), exact * kFullWeight, 0.6) << logit;
    }
  }
  EXPECT_EQ(Weight(5, 5, WeightScale(0.3f)), kFullWeight);
  EXPECT_EQ(Weight(-kInfinity, 5, WeightScale(1)), 0u);
  EXPECT_EQ(Weight(-3e38f, 3e38f, WeightScale(1)), 0u);
  // The difference is nothing beside such a temperature, and everything beside the other.
  EXPECT_EQ(Weight(-1, 0, WeightScale(std::numeric_limits<float>::max())), kFullWeight);
  EXPECT_EQ(Weight(-1e-30f, 0, WeightScale(std::numeric_limits<float>::denorm_min())), 0u);
}

TEST(Arithmetic, SharesRoundUpAndStayInside) {
  EXPECT_EQ(ShareOf(0.5f, 10), 5u);
  EXPECT_EQ(ShareOf(0.5f, 11), 6u);
  EXPECT_EQ(ShareOf(0, 11), 1u);
  EXPECT_EQ(ShareOf(1, 11), 11u);
  constexpr uint64_t kMost = static_cast<uint64_t>(kMaxVocabulary) * kFullWeight - 1;
  EXPECT_EQ(ShareOf(1, kMost), kMost);
  EXPECT_EQ(LeastWeight(0.25f), kFullWeight / 4);
}

TEST(Arithmetic, TargetsStayBelowTheTotal) {
  constexpr uint64_t kMostBits = (uint64_t{1} << kUniformBits) - 1;
  for (const uint64_t total : {uint64_t{1}, uint64_t{3}, kFullWeight, uint64_t{1} << 62}) {
    EXPECT_EQ(DrawTarget(0, total), 0u);
    EXPECT_LT(DrawTarget(kMostBits, total), total);
    EXPECT_EQ(DrawTarget(uint64_t{1} << (kUniformBits - 1), total), total / 2);
  }
}

}  // namespace
}  // namespace terminus::models::sampling
