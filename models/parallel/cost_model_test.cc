#include "models/parallel/cost_model.h"

#include "gtest/gtest.h"
#include "models/parallel/shapes.h"

namespace terminus::models::parallel {
namespace {

constexpr Rates kRates{.read_bytes_per_s = 1e12,
                       .operations_per_s = 1e14,
                       .all_reduce_latency_s = 1e-5,
                       .link_bytes_per_s = 1e11};
constexpr double kLayerNumbers = 218'112'000;
constexpr double kHeadNumbers = 128256.0 * 4096;

CostModel Costs(int tensor = 1) { return CostModel(ShapeByName("8b").value(), tensor, kRates); }

TEST(CostModel, FewRowsTakeTheTimeOfReading) {
  EXPECT_DOUBLE_EQ(Costs().Layer(3, {.rows = 1}), 2 * kLayerNumbers / 1e12);
  EXPECT_DOUBLE_EQ(Costs().Head({.rows = 1}), 2 * kHeadNumbers / 1e12);
}

TEST(CostModel, ManyTokensTakeTheTimeOfComputing) {
  EXPECT_DOUBLE_EQ(Costs().Layer(3, {.prompt_tokens = 1000}), 2 * kLayerNumbers * 1000 / 1e14);
  EXPECT_DOUBLE_EQ(Costs().Head({.rows = 1000}), 2 * kHeadNumbers * 1000 / 1e14);
  // Prompts go past the head.
  EXPECT_DOUBLE_EQ(Costs().Head({.rows = 1, .prompt_tokens = 1000}), 2 * kHeadNumbers / 1e12);
}

TEST(CostModel, KeysAndValuesComeOnTop) {
  const double without = Costs().Layer(3, {.rows = 32});
  // 4,096 bytes a token and layer.
  EXPECT_NEAR(Costs().Layer(3, {.rows = 32, .context = 512}) - without, 32 * 512 * 4096 / 1e12,
              1e-15);
}

TEST(CostModel, EachLayerHasTheOverhead) {
  Rates rates = kRates;
  rates.layer_overhead_s = 3e-5;
  const CostModel costs(ShapeByName("8b").value(), 1, rates);
  EXPECT_DOUBLE_EQ(costs.Layer(3, {.rows = 1}), 2 * kLayerNumbers / 1e12 + 3e-5);
  EXPECT_DOUBLE_EQ(costs.Head({.rows = 1}), Costs().Head({.rows = 1}));
}

TEST(CostModel, AWindowEndsTheContext) {
  decoder::LlamaConfig config = ShapeByName("8b").value();
  config.layer_attention[1].window = 128;
  const CostModel costs(config, 1, kRates);
  EXPECT_DOUBLE_EQ(costs.Layer(1, {.rows = 32, .context = 512}),
                   costs.Layer(0, {.rows = 32, .context = 128}));
}

TEST(CostModel, PromptsAttendToHalfOfTheirContext) {
  const double without = Costs().Layer(3, {.prompt_tokens = 1000});
  EXPECT_NEAR(Costs().Layer(3, {.prompt_tokens = 1000, .context = 1000}) - without,
              4.0 * 1000 * 500 * 4096 / 1e14, 1e-12);
}

TEST(CostModel, TensorRanksDivideTheWorkAndAddTwoSums) {
  const double bytes = 2 * (kLayerNumbers - 2 * 4096) / 4 + 2 * 2 * 4096;
  // Three vectors of 8 KiB from the others beat two rounds.
  const double sum = 1e-5 + 3 * 8192 / 1e11;
  EXPECT_NEAR(Costs(4).Layer(3, {.rows = 1}), bytes / 1e12 + 2 * sum, 1e-12);
  // For many tokens, each rank sums a part.
  const double many = 2e-5 + 2 * 3 / 4.0 * 8192 * 10000 / 1e11;
  EXPECT_NEAR(Costs(4).Layer(3, {.prompt_tokens = 10000}), 2 * bytes / 2 * 10000 / 1e14 + 2 * many,
              1e-9);
}

TEST(CostModel, AStageHasTheTablesAtTheEnds) {
  const CostModel costs = Costs();
  const Work work{.rows = 8, .context = 64};
  const double layer = costs.Layer(0, work);
  EXPECT_NEAR(costs.Stage({0, 10}, work), costs.Embedding(work) + 10 * layer, 1e-12);
  EXPECT_NEAR(costs.Stage({10, 20}, work), 10 * layer, 1e-12);
  EXPECT_NEAR(costs.Stage({20, 32}, work), 12 * layer + costs.Head(work), 1e-12);
}

TEST(CostModel, AMixBecomesTheWorkOfAMicroBatch) {
  const Work work = WorkOf({.rows = 16, .context = 100, .prompt_tokens = 2.5});
  EXPECT_EQ(work.rows, 16);
  EXPECT_EQ(work.prompt_tokens, 40);
  EXPECT_EQ(work.context, 100);
  EXPECT_EQ(Costs().HiddenBytes(work), 56 * 8192);
}

}  // namespace
}  // namespace terminus::models::parallel
