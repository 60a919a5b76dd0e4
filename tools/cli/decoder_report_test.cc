#include "tools/cli/decoder_report.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/parallel/shapes.h"

namespace terminus::tools::cli {
namespace {

using models::parallel::DecoderPlan;
using models::parallel::DecoderPlanOptions;
using models::parallel::Grid;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

DecoderPlan Plan(const char* shape, const Grid& grid, int rows = 32) {
  const DecoderPlanOptions options{
      .grid = grid, .device = {.bytes = int64_t{141} << 30}, .rows = rows};
  const auto plan = PlanDecoder(models::parallel::ShapeByName(shape).value(), options);
  EXPECT_TRUE(plan.ok()) << plan.status();
  return *plan;
}

TEST(DecoderReport, ShowsSplitMemoryAndPace) {
  const std::string text = FormatDecoderPlan(Plan("8b", {.pipeline = 2}));
  EXPECT_THAT(text,
              AllOf(HasSubstr("2 stages by 1 tensor ranks, 2 devices of 141.0 GiB"),
                    HasSubstr("split 17/15: stages can be 99.7% busy at most"),
                    HasSubstr("0      0      0-16"), HasSubstr("1      1      17-31"),
                    HasSubstr("1.06 MiB"), HasSubstr("32 rows in each of 3 micro-batches"),
                    HasSubstr("pipelined (3 in flight)"), HasSubstr("lock-step (1 in flight)"),
                    HasSubstr("predictions of a simulator, not measurements")));
  EXPECT_THAT(text, Not(HasSubstr("more than fit")));
}

TEST(DecoderReport, NamesTheRanksOfAStage) {
  const std::string text = FormatDecoderPlan(Plan("405b", {.pipeline = 2, .tensor = 8}));
  EXPECT_THAT(text, AllOf(HasSubstr("0-7 "), HasSubstr("8-15 ")));
}

TEST(DecoderReport, SaysWhatHasNoRoom) {
  EXPECT_THAT(FormatDecoderPlan(Plan("405b", {.pipeline = 2})),
              AllOf(HasSubstr("no room"), HasSubstr("0 KV blocks: 0 sequences"),
                    HasSubstr("96 sequences: more than fit")));
}

TEST(DecoderReport, ComparesGrids) {
  const std::string text = FormatGrids(
      {Plan("70b", {.pipeline = 16}), Plan("8b", {.pipeline = 2}), Plan("405b", {.pipeline = 2})});
  EXPECT_THAT(text, AllOf(HasSubstr("16        1       6/14x5/4 "), HasSubstr(" 17/15 "),
                          HasSubstr(" 63/63 "), HasSubstr("17 of 32 rows"), HasSubstr("no room"),
                          HasSubstr("not measurements")));
}

TEST(DecoderReport, JsonHasTheSameInBaseUnits) {
  const DecoderPlan plan = Plan("405b", {.pipeline = 2, .tensor = 8});
  const nlohmann::json json = DecoderPlanJson(plan);
  EXPECT_EQ(json["split"], models::parallel::FormatSplit(plan.split));
  EXPECT_EQ(json["kv_blocks"], plan.kv_blocks);
  EXPECT_EQ(json["pipelined"]["slots"], 3);
  EXPECT_EQ(json["pipelined"]["tokens_per_s"], plan.pipelined.tokens_per_s);
  EXPECT_EQ(json["lock_step"]["slots"], 1);
  ASSERT_EQ(json["stages"].size(), 2u);
  EXPECT_EQ(json["stages"][1]["first_rank"], 8);
  EXPECT_EQ(json["stages"][1]["last_layer"], 125);
  EXPECT_EQ(json["stages"][1]["weight_bytes"], plan.memory[1].need.weights);
}

}  // namespace
}  // namespace terminus::tools::cli
