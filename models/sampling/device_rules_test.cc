#include "models/sampling/device_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace terminus::models::sampling {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(DeviceRules, RulesOfSingleTokensAreTheDevices) {
  EXPECT_TRUE(DeviceCanApply({}));
  EXPECT_TRUE(DeviceCanApply({.sequence_bias = {{{1}, 1}},
                              .bad_words = {{{2}, -kInfinity}},
                              .min_length = 3,
                              .min_new_tokens = 2,
                              .suppress_tokens = {4},
                              .begin_suppress_tokens = {5},
                              .eos_token_ids = {6}}));
  // The reference leaves out such cuts.
  EXPECT_TRUE(DeviceCanApply({.typical_p = 2, .epsilon_cutoff = 1, .eta_cutoff = -1}));
}

TEST(DeviceRules, AllOthersAreTheHosts) {
  EXPECT_FALSE(DeviceCanApply({.sequence_bias = {{{1}, 1}, {{1, 2}, 1}}}));
  EXPECT_FALSE(DeviceCanApply({.encoder_repetition_penalty = 2}));
  EXPECT_FALSE(DeviceCanApply({.no_repeat_ngram_size = 2}));
  EXPECT_FALSE(DeviceCanApply({.encoder_no_repeat_ngram_size = 2}));
  EXPECT_FALSE(DeviceCanApply({.bad_words = {{{1, 2}, -kInfinity}}}));
  EXPECT_FALSE(DeviceCanApply({.forced_bos_token_id = 1}));
  EXPECT_FALSE(DeviceCanApply({.forced_eos_token_ids = {1}}));
  EXPECT_FALSE(DeviceCanApply({.remove_invalid_values = true}));
  EXPECT_FALSE(DeviceCanApply({.decay_factor = 1.5}));
  EXPECT_FALSE(DeviceCanApply({.top_h = 0.5}));
  EXPECT_FALSE(DeviceCanApply({.typical_p = 0.5}));
  EXPECT_FALSE(DeviceCanApply({.epsilon_cutoff = 0.5}));
  EXPECT_FALSE(DeviceCanApply({.eta_cutoff = 0.5}));
  EXPECT_FALSE(DeviceCanApply({.suppress_tokens = std::vector<int32_t>(kMaxTokenRules, 1)}));
}

TEST(DeviceRules, EachTokenHasOneRule) {
  const DeviceSampling sampling = MakeDeviceSampling({.logit_bias = {{9, 2}, {1, 3}}},
                                                     {.sequence_bias = {{{9}, 1}},
                                                      .bad_words = {{{4}, -kInfinity}},
                                                      .min_length = 7,
                                                      .suppress_tokens = {9},
                                                      .begin_suppress_tokens = {9, 2},
                                                      .eos_token_ids = {2}},
                                                     /*prompt_length=*/5);
  ASSERT_EQ(sampling.rules.size(), 4u);
  EXPECT_EQ(sampling.slot.rules, 4);
  const int32_t tokens[] = {1, 2, 4, 9};
  const float biases[] = {3, 0, 0, 3};
  const uint32_t bans[] = {0, kBanFirst | kBanEnd, kBanAlways, kBanAlways | kBanFirst};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(sampling.rules[i].token, tokens[i]);
    EXPECT_EQ(sampling.rules[i].bias, biases[i]);
    EXPECT_EQ(sampling.rules[i].bans, bans[i]);
  }
}

TEST(DeviceRules, TheEndWaitsForTheLongestOfAllLeastLengths) {
  const auto end_from = [](int min_tokens, const LogitRules& rules) {
    return MakeDeviceSampling({.min_tokens = min_tokens}, rules, 10).slot.end_from;
  };
  EXPECT_EQ(end_from(3, {.min_length = 12}), 13);
  EXPECT_EQ(end_from(1, {.min_length = 12}), 12);
  // min_length is without effect beside min_new_tokens.
  EXPECT_EQ(end_from(1, {.min_length = 99, .min_new_tokens = 2}), 12);
  EXPECT_EQ(end_from(std::numeric_limits<int>::max(), {}), std::numeric_limits<int>::max());
}

TEST(DeviceRules, PlainIsTheLikeliestTokenAlone) {
  const auto plain = [](const Parameters& parameters, const LogitRules& rules) {
    return IsPlain(MakeDeviceSampling(parameters, rules, 1).slot);
  };
  EXPECT_TRUE(plain({.temperature = 0, .top_k = 5, .top_p = 0.5f}, {.eos_token_ids = {1}}));
  EXPECT_FALSE(plain({.temperature = 1}, {}));
  EXPECT_FALSE(plain({.temperature = 0, .presence_penalty = 1}, {}));
  EXPECT_FALSE(plain({.temperature = 0, .top_logprobs = 0}, {}));
  EXPECT_FALSE(plain({.temperature = 0, .min_tokens = 1}, {.eos_token_ids = {1}}));
}

}  // namespace
}  // namespace terminus::models::sampling
