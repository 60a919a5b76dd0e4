#include "models/parallel/rank_memory.h"

#include <algorithm>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/parallel/shapes.h"

namespace terminus::models::parallel {
namespace {

constexpr int64_t kGiB = int64_t{1} << 30;
constexpr DeviceSize kH200{.bytes = 141 * kGiB};

std::vector<RankMemory> Plan(const char* shape, const Grid& grid, const char* split,
                             const DeviceSize& device = kH200) {
  const decoder::LlamaConfig config = ShapeByName(shape).value();
  return PlanMemory(config, grid, ParseSplit(split, grid.pipeline, config.layers).value(), device,
                    {}, 2);
}

TEST(RankMemory, OneRankTakesWhatAModelTakes) {
  const std::vector<RankMemory> ranks = Plan("8b", {}, "32");
  ASSERT_EQ(ranks.size(), 1u);
  EXPECT_EQ(ranks[0].need.weights, 2 * int64_t{8'030'261'248});
  EXPECT_EQ(ranks[0].need.cache, 0);
  EXPECT_EQ(ranks[0].need.graphs, kGiB);
  // 2 MiB: 16 tokens, 32 layers, 8 heads, 128 numbers, keys and values.
  EXPECT_EQ(ranks[0].kv_block_bytes, 2 << 20);
}

// A stage has the embedding, the last one the head and the final norm; layers are never twice.
TEST(RankMemory, StagesHaveTheWeightsBetweenThem) {
  const std::vector<RankMemory> ranks = Plan("8b", {.pipeline = 4}, "9/9/8/6");
  ASSERT_EQ(ranks.size(), 4u);
  int64_t sum = 0;
  for (const RankMemory& rank : ranks) {
    sum += rank.need.weights;
  }
  EXPECT_EQ(sum, 2 * int64_t{8'030'261'248});
  const int64_t layer = 2 * int64_t{218'112'000};
  const int64_t table = 2 * int64_t{128256} * 4096;
  EXPECT_EQ(ranks[0].need.weights, 9 * layer + table);
  EXPECT_EQ(ranks[1].need.weights, 9 * layer);
  EXPECT_EQ(ranks[3].need.weights, 6 * layer + table + 2 * 4096);
}

TEST(RankMemory, TensorRanksSliceAllButNorms) {
  const int64_t norms = 2 * int64_t{2 * 32 + 1} * 4096;
  const int64_t all = 2 * int64_t{8'030'261'248};
  const std::vector<RankMemory> ranks = Plan("8b", {.tensor = 8}, "32");
  EXPECT_EQ(ranks[0].need.weights, (all - norms) / 8 + norms);
  EXPECT_EQ(ranks[0].kv_block_bytes, (2 << 20) / 8);
}

// 16 ranks and 8 KV heads: two ranks hold the same head, so that a block takes as much as of 8.
TEST(RankMemory, KvHeadsAreReplicatedWhereThereAreTooFew) {
  EXPECT_EQ(Plan("8b", {.tensor = 16}, "32")[0].kv_block_bytes,
            Plan("8b", {.tensor = 8}, "32")[0].kv_block_bytes);
  const int64_t kv_weights = 2 * int64_t{2} * 32 * 128 * 4096;
  const int64_t norms = 2 * int64_t{2 * 32 + 1} * 4096;
  const int64_t all = 2 * int64_t{8'030'261'248};
  EXPECT_EQ(Plan("8b", {.tensor = 16}, "32")[0].need.weights,
            (all - norms) / 16 + norms + kv_weights / 2);
}

TEST(RankMemory, BlocksFillTheShareOfTheDevice) {
  for (const RankMemory& rank : Plan("70b", {.pipeline = 2, .tensor = 2}, "41/39")) {
    const int64_t usable = kH200.bytes / 10 * 9;
    const int64_t taken = rank.need.sum() + (rank.kv_blocks + 1) * rank.kv_block_bytes;
    EXPECT_LE(taken, usable);
    EXPECT_GT(taken + 2 * rank.kv_block_bytes, usable);
  }
}

TEST(RankMemory, TheFullestRankDecides) {
  const std::vector<RankMemory> ranks = Plan("70b", {.pipeline = 2}, "41/39");
  EXPECT_EQ(KvBlocks(ranks), std::min(ranks[0].kv_blocks, ranks[1].kv_blocks));
  EXPECT_NE(ranks[0].kv_blocks, ranks[1].kv_blocks);
  EXPECT_GT(KvBlocks(ranks), 0);
}

TEST(RankMemory, AModelThatDoesNotFitHasNoBlocks) {
  EXPECT_LT(KvBlocks(Plan("405b", {.pipeline = 4}, "32/32/32/30")), 0);
  EXPECT_GT(KvBlocks(Plan("405b", {.pipeline = 8}, "16/16/16/16/16/16/16/14")), 0);
}

}  // namespace
}  // namespace terminus::models::parallel
