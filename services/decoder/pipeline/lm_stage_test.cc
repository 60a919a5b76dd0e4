#include "services/decoder/pipeline/lm_stage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "models/decoder/lm_runner.h"
#include "services/decoder/testing/toy_lm.h"

namespace terminus::services::decoder::pipeline {
namespace {

using ::testing::HasSubstr;
using ToyLm = decoder::testing::ToyLm;

// One step with one token in slot 0.
scheduler::StepPlan OneToken(uint64_t step, int32_t token) {
  scheduler::StepPlan plan{.step = step, .closed = {0}};
  plan.opened = {{.slot = 0, .sampling = {.temperature = 0}, .prompt_length = 1, .max_length = 8}};
  plan.entries = {{.slot = 0, .sample = true, .tokens = {token}, .new_blocks = {0}}};
  return plan;
}

// On the thread that LibTorch is set up for, what a model throws fails its step and no other.
TEST(LmStage, ExecutesStepsAndMakesStatusesOfExceptions) {
  const ToyLm::Options model{.throwing_token = 5};
  std::promise<StepResult> failed;
  std::promise<StepResult> answered;
  const auto stage =
      LmStage::Factory(std::make_unique<models::decoder::LmRunner>(
                           std::make_unique<ToyLm>(model), models::sampling::LogitRules{},
                           models::decoder::LmRunner::Options{}),
                       {})([&](StepResult result) {
        (result.step == 1 ? failed : answered).set_value(std::move(result));
      });
  stage->Submit(OneToken(1, 5));
  EXPECT_THAT(std::string(failed.get_future().get().tokens.status().message()),
              HasSubstr("the device is gone"));
  stage->Submit(OneToken(2, 6));
  const StepResult result = answered.get_future().get();
  ASSERT_TRUE(result.tokens.ok()) << result.tokens.status();
  EXPECT_EQ(result.tokens->at(0)->chosen.token, ToyLm::Greedy(model, {6}, 1)[0]);
}

}  // namespace
}  // namespace terminus::services::decoder::pipeline
