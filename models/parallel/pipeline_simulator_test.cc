#include "models/parallel/pipeline_simulator.h"

#include <algorithm>
#include <numeric>
#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace terminus::models::parallel {
namespace {

using testing::DoubleNear;
using testing::Each;
using testing::ElementsAre;

constexpr double kExact = 1e-9;

// Stages of fixed seconds.
Pipeline Fixed(const std::vector<double>& seconds) {
  Pipeline pipeline;
  for (const double cost : seconds) {
    pipeline.stages.emplace_back([cost](const Work&) { return cost; });
  }
  return pipeline;
}

PipelineResult Simulate(const Pipeline& pipeline, const Work& work = {.rows = 8}) {
  // A multiple of every number of slots below: whole periods are counted.
  return SimulatePipeline(pipeline, {.warm_up_steps = 480, .steps = 4800}, SteadyWork(work));
}

TEST(PipelineSimulator, EqualStagesAreAlwaysBusyWithSlotsEnough) {
  Pipeline pipeline = Fixed({2, 2, 2, 2});
  // A fifth micro-batch covers all that takes less than a stage.
  pipeline.sampling_s = 1;
  pipeline.return_latency_s = 0.3;
  pipeline.link_latency_s = 0.1;
  pipeline.host_s = 1.5;
  const PipelineResult result = Simulate(pipeline);
  EXPECT_THAT(result.stage_busy, Each(DoubleNear(1, kExact)));
  EXPECT_NEAR(result.bubble, 0, kExact);
  EXPECT_NEAR(result.steps_per_s, 0.5, kExact);
  EXPECT_NEAR(result.tokens_per_s, 4, kExact);
  EXPECT_NEAR(result.front_busy, 0.75, kExact);
  // Five slots, each of which gets every fifth step.
  EXPECT_NEAR(result.step_latency_s, 10, kExact);
}

// A micro-batch is in stages for 4 · 2 of 4 · 2 + 1.5 + 0.3 + 3 · 0.1 seconds.
TEST(PipelineSimulator, WithASlotForEachStageSamplingIsABubble) {
  Pipeline pipeline = Fixed({2, 2, 2, 2});
  pipeline.slots = 4;
  pipeline.sampling_s = 1.5;
  pipeline.return_latency_s = 0.3;
  pipeline.link_latency_s = 0.1;
  const PipelineResult result = Simulate(pipeline);
  EXPECT_THAT(result.stage_busy, Each(DoubleNear(8 / 10.1, kExact)));
  EXPECT_NEAR(result.bubble, 2.1 / 10.1, kExact);
  EXPECT_NEAR(result.steps_per_s, 4 / 10.1, kExact);
  EXPECT_NEAR(result.step_latency_s, 10.1, kExact);
}

TEST(PipelineSimulator, InLockStepOneStageOfAllIsBusy) {
  Pipeline pipeline = Fixed({2, 2, 2, 2});
  pipeline.slots = 1;
  EXPECT_THAT(Simulate(pipeline).stage_busy, Each(DoubleNear(0.25, kExact)));
  EXPECT_NEAR(Simulate(pipeline).steps_per_s, 1.0 / 8, kExact);
  // The front plans while the stages compute, unless it must wait for the tokens.
  pipeline.host_s = 2;
  EXPECT_NEAR(Simulate(pipeline).steps_per_s, 1.0 / 8, kExact);
  pipeline.plan_ahead = false;
  EXPECT_NEAR(Simulate(pipeline).steps_per_s, 1.0 / 10, kExact);
  EXPECT_NEAR(Simulate(pipeline).front_busy, 0.2, kExact);
}

TEST(PipelineSimulator, TheSlowestStageSetsThePace) {
  const PipelineResult result = Simulate(Fixed({3, 4, 2}));
  EXPECT_THAT(result.stage_busy, ElementsAre(DoubleNear(0.75, kExact), DoubleNear(1, kExact),
                                             DoubleNear(0.5, kExact)));
  EXPECT_NEAR(result.bubble, 0.25, kExact);
  EXPECT_NEAR(result.steps_per_s, 0.25, kExact);
}

TEST(PipelineSimulator, AFrontThatIsSlowerThanStagesSetsThePace) {
  Pipeline pipeline = Fixed({2, 2});
  pipeline.host_s = 5;
  const PipelineResult result = Simulate(pipeline);
  EXPECT_NEAR(result.front_busy, 1, kExact);
  EXPECT_THAT(result.stage_busy, Each(DoubleNear(0.4, kExact)));
}

TEST(PipelineSimulator, ASamplerThatIsSlowerThanStagesSetsThePace) {
  Pipeline pipeline = Fixed({2, 2});
  pipeline.sampling_s = 4;
  EXPECT_THAT(Simulate(pipeline).stage_busy, Each(DoubleNear(0.5, kExact)));
}

TEST(PipelineSimulator, ALinkTakesTheTimeOfItsBytes) {
  Pipeline pipeline = Fixed({2, 2});
  pipeline.hidden_bytes = [](const Work& work) { return work.rows * 100; };
  pipeline.link_bytes_per_s = 800;
  // One second for 8 rows.
  pipeline.slots = 1;
  EXPECT_NEAR(Simulate(pipeline).steps_per_s, 1.0 / 5, kExact);
  // A link slower than the stages: 4 seconds for each micro-batch, and slots enough to fill it.
  pipeline.slots = 6;
  EXPECT_NEAR(Simulate(pipeline, {.rows = 32}).steps_per_s, 0.25, kExact);
  EXPECT_THAT(Simulate(pipeline, {.rows = 32}).stage_busy, Each(DoubleNear(0.5, kExact)));
}

TEST(PipelineSimulator, LatencyOfALinkDoesNotKeepOthersFromIt) {
  Pipeline pipeline = Fixed({2, 2});
  pipeline.link_latency_s = 10;
  pipeline.slots = 8;
  EXPECT_THAT(Simulate(pipeline).stage_busy, Each(DoubleNear(1, kExact)));
}

// Ten micro-batches wait for the first stage, which has computed three when the first one is back.
TEST(PipelineSimulator, WorkThatIsOnlyQueuedIsNotCounted) {
  Pipeline pipeline = Fixed({2, 2, 2});
  pipeline.slots = 10;
  const PipelineResult result =
      SimulatePipeline(pipeline, {.warm_up_steps = 0, .steps = 1}, SteadyWork({.rows = 1}));
  EXPECT_THAT(result.stage_busy, ElementsAre(DoubleNear(1, kExact), DoubleNear(4.0 / 6, kExact),
                                             DoubleNear(2.0 / 6, kExact)));
}

// With fixed times, a line in a circle has the pace of its slowest server, or that at which so many
// slots go round.
TEST(PipelineSimulator, KeepsToTheClosedForm) {
  std::mt19937 random(11);
  const auto draw = [&] { return 1 + static_cast<double>(random() % 1000) / 100; };
  int by_slots = 0;
  for (int round = 0; round < 200; ++round) {
    std::vector<double> seconds(1 + random() % 6);
    std::generate(seconds.begin(), seconds.end(), draw);
    Pipeline pipeline = Fixed(seconds);
    pipeline.hidden_bytes = [](const Work&) { return 1; };
    pipeline.link_bytes_per_s = 1 / draw();
    pipeline.link_latency_s = draw();
    pipeline.sampling_s = draw();
    pipeline.return_latency_s = draw();
    pipeline.host_s = draw();
    pipeline.plan_ahead = random() % 2 == 0;
    pipeline.slots = 1 + static_cast<int>(random() % 12);
    const double links = static_cast<double>(seconds.size()) - 1;
    const double link_s = 1 / pipeline.link_bytes_per_s;
    const double stages_s = std::accumulate(seconds.begin(), seconds.end(), 0.0);
    const double path = stages_s + links * (link_s + pipeline.link_latency_s) +
                        pipeline.sampling_s + pipeline.return_latency_s +
                        (pipeline.plan_ahead ? 0 : pipeline.host_s);
    const double slowest = std::max({*std::max_element(seconds.begin(), seconds.end()),
                                     pipeline.sampling_s, pipeline.host_s, links > 0 ? link_s : 0});
    by_slots += path / pipeline.slots > slowest ? 1 : 0;
    const double period = std::max(slowest, path / pipeline.slots);
    const PipelineResult result = SimulatePipeline(
        pipeline, {.warm_up_steps = 100 * pipeline.slots, .steps = 500 * pipeline.slots},
        SteadyWork({.rows = 1}));
    EXPECT_NEAR(result.steps_per_s * period, 1, 1e-3) << round;
    for (size_t i = 0; i < seconds.size(); ++i) {
      EXPECT_NEAR(result.stage_busy[i], seconds[i] / period, 1e-3) << round;
    }
  }
  EXPECT_GT(by_slots, 40);
  EXPECT_LT(by_slots, 160);
}

// Micro-batches of unequal size wait for each other: no stage is always busy, and none is lost.
TEST(PipelineSimulator, UnequalMicroBatchesMakeBubbles) {
  Pipeline pipeline = Fixed({});
  for (int i = 0; i < 4; ++i) {
    pipeline.stages.emplace_back([](const Work& work) { return work.tokens(); });
  }
  const PipelineRun run{.warm_up_steps = 500, .steps = 20000};
  const SequenceLoad load{.rows = 8, .prompt_tokens = 100, .output_tokens = 50, .seed = 2};
  const PipelineResult uneven =
      SimulatePipeline(pipeline, run, RandomSequences(load, pipeline.SlotCount()));
  EXPECT_GT(uneven.bubble, 0.05);
  EXPECT_NEAR(uneven.tokens_per_s, 8 * uneven.steps_per_s, kExact);
  EXPECT_NEAR(uneven.prompt_tokens_per_s / uneven.tokens_per_s, 99.0 / 50, 0.1);
  // The time of a stage is the tokens that went through it.
  EXPECT_NEAR(uneven.stage_busy[0], uneven.tokens_per_s + uneven.prompt_tokens_per_s, 0.01);
  // Few tokens of prompts in each step make the steps alike.
  SequenceLoad throttled = load;
  throttled.prompt_budget = 20;
  EXPECT_LT(
      SimulatePipeline(pipeline, run, RandomSequences(throttled, pipeline.SlotCount())).bubble,
      uneven.bubble * 0.7);
}

}  // namespace
}  // namespace terminus::models::parallel
