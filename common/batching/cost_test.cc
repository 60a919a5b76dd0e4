#include "common/batching/cost.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace terminus::batching {
namespace {

TEST(TextCostTest, GrowsWithBytesUpToTheCut) {
  const TextCost cost;
  EXPECT_EQ(cost.Estimate(0, 256), 1);
  EXPECT_EQ(cost.Estimate(45, 256), 10);
  EXPECT_EQ(cost.Estimate(1 << 20, 256), 256);
  EXPECT_GT(cost.Estimate(1 << 20, 0), 200'000);
}

TEST(TextCostTest, LearnsTheRatio) {
  TextCost cost;
  for (int i = 0; i < 200; ++i) cost.Observe(1.5);
  EXPECT_NEAR(cost.bytes_per_token(), 1.5, 0.01);
  EXPECT_EQ(cost.Estimate(30, 256), 20);
}

TEST(TextCostTest, IgnoresNonsense) {
  TextCost cost;
  const double before = cost.bytes_per_token();
  for (double bad : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    cost.Observe(bad);
  }
  EXPECT_EQ(cost.bytes_per_token(), before);
}

TEST(ImageCostTest, CountsCells) {
  EXPECT_EQ(ImageCost(224, 224), 49);
  EXPECT_EQ(ImageCost(1, 1), 1);
  EXPECT_EQ(ImageCost(33, 32), 2);
  EXPECT_EQ(ImageCost(0, 0), 1);
}

}  // namespace
}  // namespace terminus::batching
