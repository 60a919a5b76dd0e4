#include "models/decoder/cuda/hopper_schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <tuple>

#include "models/decoder/kv_view.h"

namespace terminus::models::decoder::cuda {
namespace {

constexpr int kBlocks = 132;

// Sequences of a step: new tokens, and tokens before them.
struct Batch {
  std::vector<int32_t> query_indptr = {0};
  std::vector<int32_t> kv_indptr = {7};  // Behind the tables of sequences that decode.
  std::vector<int32_t> last_page_len;

  void Add(int queries, int before) {
    const int length = queries + before;
    query_indptr.push_back(query_indptr.back() + queries);
    const int blocks = (length + kKvBlockTokens - 1) / kKvBlockTokens;
    kv_indptr.push_back(kv_indptr.back() + blocks);
    last_page_len.push_back(length - (blocks - 1) * kKvBlockTokens);
  }
  HopperSequences sequences() const {
    return {.query_indptr = query_indptr.data(),
            .kv_indptr = kv_indptr.data(),
            .last_page_len = last_page_len.data(),
            .count = static_cast<int>(last_page_len.size())};
  }
};

struct Plan {
  std::vector<int32_t> memory;
  HopperTables tables;
  int64_t items;
};

Plan PlanOf(const Batch& batch, int heads, HopperPlanner& planner) {
  Plan plan;
  plan.items = CountHopperItems(batch.sequences(), heads);
  plan.memory.assign(HopperTableSize(plan.items, kBlocks), -1);
  plan.tables = PlaceHopperTables(plan.memory.data(), plan.items, kBlocks);
  planner.Plan(batch.sequences(), heads, kBlocks, plan.tables);
  return plan;
}

Batch RandomBatch(std::mt19937& random) {
  Batch batch;
  const int count = std::uniform_int_distribution<int>(1, 40)(random);
  for (int i = 0; i < count; ++i) {
    batch.Add(std::uniform_int_distribution<int>(2, 700)(random),
              std::uniform_int_distribution<int>(0, 3000)(random));
  }
  return batch;
}

TEST(HopperScheduleTest, EveryTileOfEveryHeadStandsThereOnceWithItsSequence) {
  std::mt19937 random(3);
  HopperPlanner planner;
  for (int round = 0; round < 20; ++round) {
    const Batch batch = RandomBatch(random);
    const int heads = 1 + round % 9;
    const Plan plan = PlanOf(batch, heads, planner);
    const HopperTables& t = plan.tables;
    EXPECT_THAT(plan.memory, testing::Each(testing::Ge(0)));
    EXPECT_EQ(t.work_indptr[0], 0);
    EXPECT_EQ(t.work_indptr[kBlocks], plan.items);
    EXPECT_TRUE(std::is_sorted(t.work_indptr, t.work_indptr + kBlocks + 1));
    std::set<std::tuple<int, int, int>> seen;
    for (int64_t i = 0; i < plan.items; ++i) {
      const int sequence = t.sequences[i];
      ASSERT_LT(sequence, batch.sequences().count);
      const int queries = batch.query_indptr[sequence + 1] - batch.query_indptr[sequence];
      EXPECT_EQ(t.query_begins[i], batch.query_indptr[sequence]);
      EXPECT_EQ(t.query_lengths[i], queries);
      EXPECT_EQ(t.kv_begins[i], batch.kv_indptr[sequence]);
      EXPECT_EQ(t.kv_lengths[i],
                (batch.kv_indptr[sequence + 1] - batch.kv_indptr[sequence] - 1) * kKvBlockTokens +
                    batch.last_page_len[sequence]);
      EXPECT_LT(t.tiles[i] * kHopperTileQueries, queries);
      EXPECT_LT(t.heads[i], heads);
      EXPECT_TRUE(seen.emplace(sequence, t.tiles[i], t.heads[i]).second);
    }
    EXPECT_EQ(static_cast<int64_t>(seen.size()), plan.items);
  }
}

// Keys that the thread blocks see.
std::vector<int64_t> LoadsOf(const Plan& plan) {
  std::vector<int64_t> loads;
  for (int block = 0; block < kBlocks; ++block) {
    int64_t load = 0;
    for (int i = plan.tables.work_indptr[block]; i < plan.tables.work_indptr[block + 1]; ++i) {
      const int before = plan.tables.kv_lengths[i] - plan.tables.query_lengths[i];
      load += before + std::min(plan.tables.query_lengths[i],
                                (plan.tables.tiles[i] + 1) * kHopperTileQueries);
    }
    loads.push_back(load);
  }
  return loads;
}

TEST(HopperScheduleTest, ThreadBlocksGetAboutEqualShares) {
  Batch batch;
  batch.Add(4096, 0);
  HopperPlanner planner;
  const std::vector<int64_t> loads = LoadsOf(PlanOf(batch, /*heads=*/32, planner));
  const int64_t most = *std::max_element(loads.begin(), loads.end());
  int64_t total = 0;
  for (const int64_t load : loads) {
    total += load;
  }
  // The best possible is the mean; taking the costliest first comes close to it.
  EXPECT_LT(static_cast<double>(most), 1.1 * static_cast<double>(total) / kBlocks);
}

TEST(HopperScheduleTest, MoreThreadBlocksThanItemsLeavesSomeWithoutWork) {
  Batch batch;
  batch.Add(2, 0);
  HopperPlanner planner;
  const Plan plan = PlanOf(batch, /*heads=*/3, planner);
  EXPECT_EQ(plan.items, 3);
  EXPECT_EQ(plan.tables.work_indptr[kBlocks], 3);
}

}  // namespace
}  // namespace terminus::models::decoder::cuda
