#include "services/decoder/pipeline/lm_stage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/decoder/testing/toy_lm.h"

namespace terminus::services::decoder::pipeline {
namespace {

using ::testing::HasSubstr;
using ToyLm = decoder::testing::ToyLm;

scheduler::PlanEntry Entry(std::vector<int32_t> tokens, int first_position,
                           std::vector<int32_t> blocks, bool sample) {
  return {.sequence = 1,
          .first_position = first_position,
          .tokens = std::move(tokens),
          .blocks = std::move(blocks),
          .sample = sample,
          .sampling = {.temperature = 0}};
}

TEST(LmStage, ExecutesChunksAndDecodesOfSeveralSequencesTogether) {
  const ToyLm::Options options;
  LmStage stage(std::make_unique<ToyLm>(options));
  std::vector<int32_t> first;
  for (int32_t i = 0; i < 20; ++i) first.push_back(i);
  const std::vector<int32_t> second = {7, 8, 9};
  const std::vector<int32_t> head(first.begin(), first.begin() + 10);
  const std::vector<int32_t> tail(first.begin() + 10, first.end());

  // The first sequence's prompt in two chunks, into blocks that are not in order.
  auto tokens = stage.Execute(scheduler::EncodePlan(
      {.step = 1, .entries = {Entry(head, 0, {5}, false), Entry(second, 0, {3}, true)}}));
  ASSERT_TRUE(tokens.ok()) << tokens.status();
  ASSERT_EQ(tokens->size(), 1u);
  const std::vector<int32_t> second_answer = ToyLm::Greedy(options, second, 2);
  EXPECT_EQ((*tokens)[0]->chosen.token, second_answer[0]);

  tokens = stage.Execute(scheduler::EncodePlan(
      {.step = 2,
       .entries = {Entry(tail, 10, {5, 2}, true), Entry({second_answer[0]}, 3, {3}, true)}}));
  ASSERT_TRUE(tokens.ok()) << tokens.status();
  ASSERT_EQ(tokens->size(), 2u);
  EXPECT_EQ((*tokens)[0]->chosen.token, ToyLm::Greedy(options, first, 1)[0]);
  EXPECT_EQ((*tokens)[1]->chosen.token, second_answer[1]);
}

TEST(LmStage, ASequenceWhoseLogitsAreNoNumbersFailsAlone) {
  LmStage stage(std::make_unique<ToyLm>(ToyLm::Options{.poison_token = 9}));
  const auto tokens = stage.Execute(
      scheduler::EncodePlan({.entries = {Entry({1, 9}, 0, {0}, true), Entry({2}, 0, {1}, true)}}));
  ASSERT_TRUE(tokens.ok());
  EXPECT_THAT(std::string((*tokens)[0].status().message()), HasSubstr("nan"));
  EXPECT_TRUE((*tokens)[1].ok());
}

TEST(LmStage, APlanWithoutTheEarlierTokensThatAPenaltyNeedsIsRefused) {
  LmStage stage(std::make_unique<ToyLm>(ToyLm::Options{}));
  scheduler::PlanEntry entry = Entry({1, 2, 3}, 0, {0}, true);
  entry.sampling.repetition_penalty = 1.5f;
  ASSERT_TRUE(stage.Execute(scheduler::EncodePlan({.entries = {entry}}))->front().ok());
  entry.tokens = {4};
  entry.first_position = 3;
  const auto without = stage.Execute(scheduler::EncodePlan({.entries = {entry}}));
  EXPECT_THAT(std::string(without->front().status().message()),
              HasSubstr("0 earlier tokens, expected 3"));
  entry.earlier = {1, 2, 3};
  EXPECT_TRUE(stage.Execute(scheduler::EncodePlan({.entries = {entry}}))->front().ok());
}

TEST(LmStage, APlanOutOfBoundsIsRefused) {
  LmStage stage(std::make_unique<ToyLm>(ToyLm::Options{.kv_blocks = 4}));
  EXPECT_FALSE(stage.Execute("rubbish").ok());
  EXPECT_THAT(
      std::string(stage.Execute(scheduler::EncodePlan({.entries = {Entry({1}, 0, {4}, true)}}))
                      .status()
                      .message()),
      HasSubstr("block 4"));
}

}  // namespace
}  // namespace terminus::services::decoder::pipeline
