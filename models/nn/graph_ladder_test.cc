#include "models/nn/graph_ladder.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace terminus::models::nn {
namespace {

using testing::ElementsAre;

TEST(GraphLadderTest, Rungs) {
  EXPECT_THAT(GraphLadder::Rungs(1), ElementsAre(1));
  EXPECT_THAT(GraphLadder::Rungs(5), ElementsAre(1, 2, 4, 5));
  EXPECT_THAT(GraphLadder::Rungs(256),
              ElementsAre(1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 160, 192, 224, 256));
}

TEST(GraphLadderTest, FillsUpAndCuts) {
  std::vector<int64_t> asked;
  GraphLadder ladder(
      [&](const at::Tensor& x) {
        asked.push_back(x.size(0));
        return x.sum(1) * 2;
      },
      {3}, at::TensorOptions().dtype(at::kFloat), 8);
  const at::Tensor x = at::arange(60, at::kFloat).view({20, 3});
  for (const int64_t rows : {1, 3, 8, 0}) {
    EXPECT_TRUE(at::equal(ladder.Run(x.slice(0, 2, 2 + rows)), x.slice(0, 2, 2 + rows).sum(1) * 2))
        << rows;
  }
  EXPECT_THAT(asked, ElementsAre(1, 4, 8, 1));
  asked.clear();
  EXPECT_TRUE(at::equal(ladder.Run(x), x.sum(1) * 2));
  EXPECT_THAT(asked, ElementsAre(8, 8, 4));
}

}  // namespace
}  // namespace terminus::models::nn
