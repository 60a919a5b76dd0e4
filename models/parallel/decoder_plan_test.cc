#include "models/parallel/decoder_plan.h"

#include "common/base/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/parallel/shapes.h"

namespace terminus::models::parallel {
namespace {

using testing::AllOf;
using testing::HasSubstr;

DecoderPlanOptions Options(const Grid& grid) {
  return {.grid = grid, .device = {.bytes = int64_t{141} << 30}};
}

DecoderPlan Plan(const char* shape, const DecoderPlanOptions& options) {
  const auto plan = PlanDecoder(ShapeByName(shape).value(), options);
  EXPECT_TRUE(plan.ok()) << plan.status();
  return *plan;
}

std::string MessageOf(const DecoderPlanOptions& options) {
  const auto plan = PlanDecoder(ShapeByName("8b").value(), options);
  EXPECT_EQ(plan.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(plan.status().message());
}

TEST(DecoderPlan, DividesByCostAndReachesTheCeiling) {
  const DecoderPlan plan = Plan("70b", Options({.pipeline = 4}));
  EXPECT_EQ(plan.slots, 5);
  EXPECT_NEAR(1 - plan.pipelined.bubble, plan.busy_ceiling, 1e-3);
  EXPECT_GT(plan.busy_ceiling, 0.96);
  // One micro-batch in flight: a quarter of the stages is busy, less what sampling takes.
  EXPECT_NEAR(1 - plan.lock_step.bubble, 0.25, 0.01);
  EXPECT_GT(plan.pipelined.tokens_per_s, 3.8 * plan.lock_step.tokens_per_s);
  EXPECT_NEAR(plan.pipelined.tokens_per_s, 32 * plan.pipelined.steps_per_s, 1e-6);
}

TEST(DecoderPlan, TakesASplitGivenByHand) {
  DecoderPlanOptions options = Options({.pipeline = 2});
  options.split = "16/16";
  const DecoderPlan even = Plan("8b", options);
  EXPECT_EQ(FormatSplit(even.split), "16/16");
  EXPECT_LT(even.pipelined.tokens_per_s,
            Plan("8b", Options({.pipeline = 2})).pipelined.tokens_per_s);
}

// A step of 32 sequences of Llama-3.1-8B after 512 tokens takes an H200 3.91 ms at least
// (docs/benchmarks.md).
TEST(DecoderPlan, OneDeviceTakesWhatTheBenchmarksSay) {
  const DecoderPlan plan = Plan("8b", Options({}));
  EXPECT_NEAR(plan.stage_seconds[0], 3.91e-3, 0.02e-3);
  EXPECT_EQ(plan.busy_ceiling, 1);
  EXPECT_EQ(plan.slots, 1);
  // Nothing but sampling comes between two steps.
  EXPECT_NEAR(plan.pipelined.step_latency_s, plan.stage_seconds[0] + 1e-4, 1e-9);
}

TEST(DecoderPlan, SequencesThatFitFollowFromTheFullestRank) {
  const DecoderPlan plan = Plan("70b", Options({.pipeline = 2}));
  EXPECT_EQ(plan.kv_blocks, KvBlocks(plan.memory));
  EXPECT_EQ(plan.sequences_that_fit, plan.kv_blocks / 32);
  EXPECT_TRUE(CheckRoom(plan).ok());
}

TEST(DecoderPlan, AModelThatDoesNotFitIsToldWithItsNumbers) {
  const DecoderPlan plan = Plan("405b", Options({.pipeline = 4}));
  EXPECT_EQ(plan.kv_blocks, 0);
  EXPECT_EQ(plan.sequences_that_fit, 0);
  const absl::Status status = CheckRoom(plan);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(base::Reason(status), "MODEL_TOO_LARGE");
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("weights 19"), HasSubstr("126.9 GiB (0.9 of 141.0 GiB)")));
}

TEST(DecoderPlan, PromptsOfNewSequencesAreCounted) {
  DecoderPlanOptions options = Options({.pipeline = 4});
  options.prompt_tokens = 512;
  options.output_tokens = 128;
  const DecoderPlan plan = Plan("8b", options);
  EXPECT_EQ(plan.context, 640);
  EXPECT_NEAR(plan.pipelined.prompt_tokens_per_s / plan.pipelined.tokens_per_s, 4, 0.4);
  EXPECT_GT(plan.pipelined.bubble, 0.1);
  options.seed = 2;
  EXPECT_NE(Plan("8b", options).pipelined.tokens_per_s, plan.pipelined.tokens_per_s);
}

TEST(DecoderPlan, SequencesAreDividedOverMicroBatches) {
  DecoderPlanOptions options = Options({.pipeline = 4});
  options.sequences = 101;
  options.slots = 5;
  EXPECT_EQ(Plan("8b", options).rows, 21);
  options.slots = 2;
  EXPECT_EQ(Plan("8b", options).rows, 51);
}

// With as many slots as stages, sampling is a bubble, but each read of the weights is for more
// rows.
TEST(DecoderPlan, ChoosesTheSlotsThatGiveMoreTokens) {
  DecoderPlanOptions options = Options({.pipeline = 2});
  options.sequences = 60;
  EXPECT_EQ(Plan("70b", options).slots, 2);
  EXPECT_EQ(Plan("70b", options).rows, 30);
  const double tokens_per_s = Plan("70b", options).pipelined.tokens_per_s;
  options.slots = 3;
  EXPECT_GT(tokens_per_s, 1.2 * Plan("70b", options).pipelined.tokens_per_s);
  // Where computing takes the time, the bubble counts alone.
  options.slots = 0;
  options.sequences = 2000;
  options.overheads.sampling_s = 10e-3;
  EXPECT_EQ(Plan("70b", options).slots, 3);
}

TEST(DecoderPlan, ComparesTheGridsOfSomeDevices) {
  DecoderPlanOptions options = Options({});
  options.sequences = 64;
  const auto plans = CompareGrids(ShapeByName("70b").value(), options, 12);
  ASSERT_TRUE(plans.ok()) << plans.status();
  // 3, 6 and 12 do not divide the 64 heads.
  ASSERT_EQ(plans->size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ((*plans)[i].grid.tensor, 1 << i);
    EXPECT_EQ((*plans)[i].grid.ranks(), 12);
  }
  // Fewer stages read the weights for more rows.
  EXPECT_GT((*plans)[0].slots, (*plans)[2].slots);
  EXPECT_LT((*plans)[0].rows, (*plans)[2].rows);
  const auto none = CompareGrids(ShapeByName("8b").value(), options, 97);
  EXPECT_EQ(none.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(none.status().message()), HasSubstr("no grid of 97 devices"));
  EXPECT_FALSE(CompareGrids(ShapeByName("8b").value(), options, 0).ok());
}

TEST(DecoderPlan, SaysWhichOptionIsWrong) {
  DecoderPlanOptions options = Options({.tensor = 3});
  EXPECT_THAT(MessageOf(options), HasSubstr("3 tensor ranks"));
  options = Options({});
  options.rows = 0;
  EXPECT_THAT(MessageOf(options), HasSubstr("rows: 0, expected 1 to 4096"));
  options = Options({});
  options.context = 131073;
  EXPECT_THAT(MessageOf(options), HasSubstr("context: 131073, expected 1 to 131072"));
  options = Options({});
  options.prompt_tokens = 5;
  EXPECT_THAT(MessageOf(options), HasSubstr("without output tokens"));
  options.output_tokens = 131072;
  EXPECT_THAT(MessageOf(options), HasSubstr("prompt tokens: 5, expected 0 to 0"));
  options = Options({.pipeline = 2});
  options.split = "30/1";
  EXPECT_THAT(MessageOf(options), HasSubstr("adds up to 31"));
  options = Options({});
  options.slots = -1;
  EXPECT_THAT(MessageOf(options), HasSubstr("slots: -1"));
}

}  // namespace
}  // namespace terminus::models::parallel
