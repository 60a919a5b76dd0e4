#include "models/parallel/grid.h"

#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/parallel/shapes.h"

namespace terminus::models::parallel {
namespace {

using testing::HasSubstr;

decoder::LlamaConfig Shape(const char* name) { return ShapeByName(name).value(); }

std::string MessageOf(const decoder::LlamaConfig& config, const Grid& grid) {
  const absl::Status status = CheckGrid(config, grid);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

TEST(Grid, RanksOfAStageFollowEachOther) {
  const Grid grid{.pipeline = 3, .tensor = 4};
  std::set<int> ranks;
  for (int stage = 0; stage < 3; ++stage) {
    for (int tensor_rank = 0; tensor_rank < 4; ++tensor_rank) {
      const int rank = grid.RankOf(stage, tensor_rank);
      EXPECT_EQ(grid.StageOf(rank), stage);
      EXPECT_EQ(grid.TensorRankOf(rank), tensor_rank);
      ranks.insert(rank);
    }
  }
  EXPECT_EQ(ranks.size(), 12u);
  EXPECT_EQ(*ranks.rbegin(), grid.ranks() - 1);
  EXPECT_EQ(grid.RankOf(2, 1), 9);
}

TEST(Grid, AcceptsWhatDivides) {
  for (const Grid& grid : {Grid{1, 1}, Grid{32, 1}, Grid{4, 8}, Grid{2, 16}, Grid{1, 32}}) {
    EXPECT_TRUE(CheckGrid(Shape("8b"), grid).ok()) << grid.pipeline << " by " << grid.tensor;
  }
}

TEST(Grid, FaultsNameTheNumberAndWhatItMustDivide) {
  decoder::LlamaConfig config = Shape("8b");
  EXPECT_THAT(MessageOf(config, {.pipeline = 0}), HasSubstr("0 stages by 1 tensor ranks"));
  EXPECT_THAT(MessageOf(config, {.tensor = -2}), HasSubstr("-2 tensor ranks"));
  EXPECT_THAT(MessageOf(config, {.pipeline = 33}),
              HasSubstr("33 pipeline stages; the model has 32 layers"));
  EXPECT_THAT(MessageOf(config, {.tensor = 3}),
              HasSubstr("3 tensor ranks must divide the 32 query heads"));
  config.intermediate_size = 14332;
  EXPECT_THAT(MessageOf(config, {.tensor = 8}), HasSubstr("the intermediate size, 14332"));
  config = Shape("8b");
  config.heads = 24;
  config.kv_heads = 6;
  EXPECT_THAT(MessageOf(config, {.tensor = 4}),
              HasSubstr("4 tensor ranks must divide the 6 KV heads"));
}

TEST(TensorShare, DividesHeadsInnerSizeAndVocabulary) {
  const decoder::LlamaConfig share = TensorShare(Shape("70b"), 4);
  EXPECT_EQ(share.heads, 16);
  EXPECT_EQ(share.kv_heads, 2);
  EXPECT_EQ(share.intermediate_size, 7168);
  EXPECT_EQ(share.vocab_size, 32064);
  EXPECT_EQ(share.hidden_size, 8192);
  EXPECT_EQ(share.head_dim, 128);
  EXPECT_EQ(share.layers, 80);
}

TEST(TensorShare, RanksShareAKvHeadWhereThereAreFewer) {
  EXPECT_EQ(TensorShare(Shape("70b"), 16).kv_heads, 1);
  EXPECT_EQ(TensorShare(Shape("70b"), 16).heads, 4);
}

TEST(TensorShare, RoundsTheVocabularyUp) {
  decoder::LlamaConfig config = Shape("8b");
  config.vocab_size = 1001;
  EXPECT_EQ(TensorShare(config, 4).vocab_size, 251);
}

}  // namespace
}  // namespace terminus::models::parallel
