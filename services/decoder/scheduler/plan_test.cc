#include "services/decoder/scheduler/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace terminus::services::decoder::scheduler {
namespace {

using ::testing::HasSubstr;

constexpr PlanBounds kBounds{.vocab_size = 100, .max_context = 64, .kv_blocks = 10};

StepPlan Example() {
  PlanEntry prompt{.sequence = 7, .first_position = 16, .tokens = {1, 2, 99}, .blocks = {9, 0}};
  PlanEntry decode{.sequence = uint64_t{1} << 40,
                   .first_position = 2,
                   .tokens = {5},
                   .blocks = {3},
                   .sample = true,
                   .sampling = {.temperature = 0.5f,
                                .top_k = 40,
                                .top_p = 0.9f,
                                .min_p = 0.1f,
                                .repetition_penalty = 1.5f,
                                .seed = ~uint64_t{0},
                                .choice = 3,
                                .top_logprobs = 20},
                   .prompt_tokens = 2,
                   .max_length = 50,
                   .earlier = {98, 0}};
  return {.step = 12, .entries = {prompt, decode}};
}

std::string ErrorOf(const StepPlan& plan) {
  return std::string(DecodePlan(EncodePlan(plan), kBounds).status().message());
}

TEST(Plan, ComesBackAsItWas) {
  const auto plan = DecodePlan(EncodePlan(Example()), kBounds);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->step, 12u);
  ASSERT_EQ(plan->entries.size(), 2u);
  EXPECT_EQ(plan->entries[0].sequence, 7u);
  EXPECT_EQ(plan->entries[0].first_position, 16);
  EXPECT_EQ(plan->entries[0].tokens, (std::vector<int32_t>{1, 2, 99}));
  EXPECT_EQ(plan->entries[0].blocks, (std::vector<int32_t>{9, 0}));
  EXPECT_FALSE(plan->entries[0].sample);
  const models::sampling::Parameters& sampling = plan->entries[1].sampling;
  EXPECT_TRUE(plan->entries[1].sample);
  EXPECT_EQ(sampling.temperature, 0.5f);
  EXPECT_EQ(sampling.top_k, 40u);
  EXPECT_EQ(sampling.top_p, 0.9f);
  EXPECT_EQ(sampling.seed, ~uint64_t{0});
  EXPECT_EQ(sampling.choice, 3u);
  EXPECT_EQ(sampling.top_logprobs, 20);
  EXPECT_EQ(sampling.min_p, 0.1f);
  EXPECT_EQ(sampling.repetition_penalty, 1.5f);
  EXPECT_EQ(plan->entries[1].prompt_tokens, 2);
  EXPECT_EQ(plan->entries[1].max_length, 50);
  EXPECT_EQ(plan->entries[1].earlier, (std::vector<int32_t>{98, 0}));
  EXPECT_EQ(EncodePlan(*plan), EncodePlan(Example()));
  EXPECT_TRUE(DecodePlan(EncodePlan({}), kBounds).ok());
}

TEST(Plan, OutOfBoundsIsNamed) {
  const auto with = [](auto change) {
    StepPlan plan = Example();
    change(plan.entries[1]);
    return ErrorOf(plan);
  };
  EXPECT_THAT(with([](PlanEntry& e) { e.tokens = {100}; }), HasSubstr("token 100"));
  EXPECT_THAT(with([](PlanEntry& e) { e.tokens = {-1}; }), HasSubstr("token -1"));
  EXPECT_THAT(with([](PlanEntry& e) { e.blocks = {10}; }), HasSubstr("block 10"));
  EXPECT_THAT(with([](PlanEntry& e) { e.blocks = {1, 2}; }), HasSubstr("2 blocks for 3 tokens"));
  EXPECT_THAT(with([](PlanEntry& e) { e.tokens.clear(); }), HasSubstr("without tokens"));
  EXPECT_THAT(with([](PlanEntry& e) { e.first_position = 64; }), HasSubstr("the context has 64"));
  EXPECT_THAT(with([](PlanEntry& e) { e.first_position = -1; }), HasSubstr("positions -1"));
  EXPECT_THAT(with([](PlanEntry& e) { e.sampling.temperature = -1; }), HasSubstr("temperature"));
  EXPECT_THAT(with([](PlanEntry& e) { e.sampling.top_p = std::nanf(""); }), HasSubstr("top_p"));
  EXPECT_THAT(with([](PlanEntry& e) { e.sampling.top_logprobs = 21; }), HasSubstr("21"));
  EXPECT_THAT(with([](PlanEntry& e) { e.sampling.min_p = 1.5f; }), HasSubstr("min_p"));
  EXPECT_THAT(with([](PlanEntry& e) { e.sampling.repetition_penalty = 0; }),
              HasSubstr("repetition_penalty"));
  EXPECT_THAT(with([](PlanEntry& e) { e.prompt_tokens = 4; }), HasSubstr("a prompt of 4 tokens"));
  EXPECT_THAT(with([](PlanEntry& e) { e.earlier = {1}; }), HasSubstr("1 earlier tokens"));
  EXPECT_THAT(with([](PlanEntry& e) { e.earlier = {1, 100}; }), HasSubstr("earlier token 100"));
}

TEST(Plan, AnotherVersionAndOtherBytesAreRefused) {
  std::string bytes = EncodePlan(Example());
  bytes[4] = 1;
  EXPECT_THAT(std::string(DecodePlan(bytes, kBounds).status().message()),
              HasSubstr("version 1, expected 2"));
  EXPECT_FALSE(DecodePlan("", kBounds).ok());
  EXPECT_FALSE(DecodePlan("hello, I am not a plan at all", kBounds).ok());
}

TEST(Plan, EveryCutIsNoticed) {
  const std::string bytes = EncodePlan(Example());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(DecodePlan(absl::string_view(bytes).substr(0, size), kBounds).ok()) << size;
  }
  EXPECT_THAT(std::string(DecodePlan(bytes + "x", kBounds).status().message()),
              HasSubstr("1 bytes too many"));
}

// Whatever the bytes: an error, or a plan that keeps the bounds.
TEST(Plan, DamagedBytesNeverLeadOutOfBounds) {
  const std::string original = EncodePlan(Example());
  std::mt19937 random(1);
  int accepted = 0;
  for (int round = 0; round < 200'000; ++round) {
    std::string bytes = original;
    for (uint32_t flips = 1 + random() % 4; flips > 0; --flips) {
      const size_t at = random() % bytes.size();
      bytes[at] = random() % 4 == 0 ? static_cast<char>(0xff) : static_cast<char>(random());
    }
    if (random() % 8 == 0) {
      bytes.resize(random() % (bytes.size() + 1));
    }
    const auto plan = DecodePlan(bytes, kBounds);
    if (!plan.ok()) {
      continue;
    }
    ++accepted;
    for (const PlanEntry& entry : plan->entries) {
      ASSERT_GE(entry.first_position, 0);
      ASSERT_LE(entry.first_position + entry.tokens.size(), 64u);
      for (const int32_t token : entry.tokens) ASSERT_TRUE(token >= 0 && token < 100);
      for (const int32_t token : entry.earlier) ASSERT_TRUE(token >= 0 && token < 100);
      for (const int32_t block : entry.blocks) ASSERT_TRUE(block >= 0 && block < 10);
    }
  }
  EXPECT_GT(accepted, 100) << "the damage is too rough to get past the first checks";
}

}  // namespace
}  // namespace terminus::services::decoder::scheduler
