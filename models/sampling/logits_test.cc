#include "models/sampling/logits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "common/base/errors.h"
#include "models/sampling/arithmetic.h"
#include "models/sampling/candidates.h"
#include "models/sampling/sampler.h"

namespace terminus::models::sampling {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr float kBanned = -std::numeric_limits<float>::infinity();

// The whole of it against transformers stands in services/decoder/load; these are the corners.
std::vector<float> Processed(const LogitRules& rules, const Parameters& parameters,
                             const std::vector<int32_t>& tokens, int prompt_length,
                             std::vector<float> logits, int max_length = 100) {
  ProcessLogits(rules, parameters,
                {.tokens = tokens,
                 .length = static_cast<int>(tokens.size()),
                 .prompt_length = prompt_length,
                 .max_length = max_length},
                absl::MakeSpan(logits));
  return logits;
}

TEST(Logits, RepetitionCountsOnceAndByTheSign) {
  EXPECT_THAT(Processed({}, {.repetition_penalty = 2}, {0, 1, 1, 0}, 2, {3, -3, 3}),
              ElementsAre(1.5f, -6, 3));
  EXPECT_THAT(Processed({.encoder_repetition_penalty = 2}, {}, {0, 1, 2}, 2, {3, -3, 3}),
              ElementsAre(6, -1.5f, 3));
}

TEST(Logits, RepeatedSequencesAreBanned) {
  EXPECT_THAT(Processed({.no_repeat_ngram_size = 2}, {}, {0, 1, 0, 2, 0}, 1, {5, 5, 5}),
              ElementsAre(5, kBanned, kBanned));
  EXPECT_THAT(Processed({.no_repeat_ngram_size = 1}, {}, {0, 2}, 1, {5, 5, 5}),
              ElementsAre(kBanned, 5, kBanned));
  EXPECT_THAT(Processed({.no_repeat_ngram_size = 9}, {}, {0, 2}, 1, {5, 5, 5}),
              ElementsAre(5, 5, 5));
  // Only those of the prompt.
  EXPECT_THAT(Processed({.encoder_no_repeat_ngram_size = 2}, {}, {0, 1, 0, 2, 0}, 2, {5, 5, 5}),
              ElementsAre(5, kBanned, 5));
}

TEST(Logits, SequencesAreBiasedWhereTheirBeginningStands) {
  const LogitRules rules = {
      .sequence_bias = {{{1}, 1}, {{0, 1}, 10}, {{2, 1}, 100}, {{7, 7, 7, 2, 0, 2}, 5}}};
  EXPECT_THAT(Processed(rules, {}, {2, 0}, 1, {0, 0, 0}), ElementsAre(0, 11, 0));
}

TEST(Logits, TheEndWaitsForTheLeastLength) {
  const LogitRules by_length = {.min_length = 4, .eos_token_ids = {2}};
  EXPECT_THAT(Processed(by_length, {}, {0, 0, 0}, 2, {1, 1, 1}), ElementsAre(1, 1, kBanned));
  EXPECT_THAT(Processed(by_length, {}, {0, 0, 0, 0}, 2, {1, 1, 1}), ElementsAre(1, 1, 1));
  const LogitRules by_new = {.min_length = 9, .min_new_tokens = 1, .eos_token_ids = {2}};
  EXPECT_THAT(Processed(by_new, {}, {0, 0}, 2, {1, 1, 1}), ElementsAre(1, 1, kBanned));
  EXPECT_THAT(Processed(by_new, {}, {0, 0, 0}, 2, {1, 1, 1}), ElementsAre(1, 1, 1));
}

TEST(Logits, ForcedTokensAndThoseAnAnswerDoesNotBeginWith) {
  const LogitRules rules = {.forced_bos_token_id = 1, .begin_suppress_tokens = {0}};
  EXPECT_THAT(Processed(rules, {}, {2}, 1, {1, 1, 1}), ElementsAre(kBanned, 0, kBanned));
  EXPECT_THAT(Processed(rules, {}, {2, 1}, 1, {1, 1, 1}), ElementsAre(kBanned, 1, 1));
  EXPECT_THAT(Processed(rules, {}, {2, 1}, 2, {1, 1, 1}), ElementsAre(kBanned, 1, 1));
  EXPECT_THAT(Processed(rules, {}, {2, 1, 1}, 2, {1, 1, 1}), ElementsAre(1, 1, 1));
  const LogitRules last = {.forced_eos_token_ids = {0, 2}};
  EXPECT_THAT(Processed(last, {}, {1, 1}, 1, {1, 1, 1}, 3), ElementsAre(0, kBanned, 0));
  EXPECT_THAT(Processed(last, {}, {1, 1}, 1, {1, 1, 1}, 4), ElementsAre(1, 1, 1));
}

TEST(Logits, TheEndBecomesLikelier) {
  const LogitRules rules = {.decay_start = 1, .decay_factor = 2, .eos_token_ids = {0, 1, 1}};
  EXPECT_THAT(Processed(rules, {}, {2, 2}, 1, {1, -1, 1}), ElementsAre(1, -1, 1));
  EXPECT_THAT(Processed(rules, {}, {2, 2, 2, 2}, 1, {1, -1, 1}), ElementsAre(4, 2, 1));
}

TEST(Logits, FrequencyAndPresenceCountTheAnswerAlone) {
  const std::vector<int32_t> tokens = {0, 0, 1, 1, 1, 2};
  EXPECT_THAT(Processed({}, {.frequency_penalty = 0.5f}, tokens, 3, {4, 4, 4, 4}),
              ElementsAre(4, 3, 3.5f, 4));
  EXPECT_THAT(Processed({}, {.presence_penalty = 0.5f}, tokens, 3, {4, 4, 4, 4}),
              ElementsAre(4, 3.5f, 3.5f, 4));
  EXPECT_THAT(
      Processed({}, {.frequency_penalty = -1, .presence_penalty = 0.25f}, tokens, 2, {4, 4, 4, 4}),
      ElementsAre(4, 6.75f, 4.75f, 4));
  // Behind the repetition penalty.
  EXPECT_THAT(Processed({}, {.repetition_penalty = 2, .presence_penalty = 1}, {0, 1}, 1, {4, 4}),
              ElementsAre(2, 1));
}

TEST(Logits, OccurrencesAreCountedUpToABound) {
  const std::vector<int32_t> tokens(kMaxCounted + 10, 0);
  EXPECT_THAT(Processed({}, {.frequency_penalty = 1}, tokens, 0, {0}),
              ElementsAre(-static_cast<float>(kMaxCounted)));
}

TEST(Logits, BiasesOfRequestAndFolderAddUpBeforePenalties) {
  const LogitRules rules = {.sequence_bias = {{{1}, 1}, {{2}, 4}}};
  const Parameters parameters = {.repetition_penalty = 2, .logit_bias = {{1, 2}, {0, -8}}};
  EXPECT_THAT(Processed(rules, parameters, {1}, 1, {2, 3, 4}), ElementsAre(-6, 3, 8));
}

TEST(Logits, MinTokensBansTheEndBesideTheFoldersOwnLeastLength) {
  const LogitRules rules = {.eos_token_ids = {0, 2}};
  const Parameters parameters = {.min_tokens = 2};
  EXPECT_THAT(Processed(rules, parameters, {1, 1, 1}, 2, {1, 1, 1}),
              ElementsAre(kBanned, 1, kBanned));
  EXPECT_THAT(Processed(rules, parameters, {1, 1, 1, 1}, 2, {1, 1, 1}), ElementsAre(1, 1, 1));
  const LogitRules longer = {.min_new_tokens = 3, .eos_token_ids = {0}};
  EXPECT_THAT(Processed(longer, parameters, {1, 1, 1, 1}, 2, {1, 1}), ElementsAre(kBanned, 1));
  EXPECT_THAT(Processed(longer, {.min_tokens = 4}, {1, 1, 1, 1, 1}, 2, {1, 1}),
              ElementsAre(kBanned, 1));
  EXPECT_THAT(Processed(longer, {.min_tokens = 4}, {1, 1, 1, 1, 1, 1}, 2, {1, 1}),
              ElementsAre(1, 1));
}

TEST(Logits, TheMaskBansWhatItDoesNotName) {
  std::vector<float> logits(70, 1);
  const uint32_t mask[] = {1, 0x80000000, 0x20};
  ApplyMask(mask, absl::MakeSpan(logits));
  for (size_t i = 0; i < logits.size(); ++i) {
    EXPECT_EQ(logits[i], i == 0 || i == 63 || i == 69 ? 1 : kBanned) << i;
  }
}

TEST(Logits, OnlyWhatLooksBackNeedsTheTokens) {
  EXPECT_TRUE(LooksBack({}, {.repetition_penalty = 1.1f}));
  EXPECT_TRUE(LooksBack({}, {.frequency_penalty = -0.1f}));
  EXPECT_TRUE(LooksBack({}, {.presence_penalty = 0.1f}));
  EXPECT_TRUE(LooksBack({.bad_words = {{{1, 2}, kBanned}}}, {}));
  EXPECT_FALSE(LooksBack({.bad_words = {{{1}, kBanned}}, .min_length = 4}, {}));
  EXPECT_FALSE(LooksBack({}, {.logit_bias = {{1, 2}}, .min_tokens = 4}));
}

TEST(Logits, WhatChangesNothingIsKnown) {
  EXPECT_FALSE(ChangesLogits({.eos_token_ids = {2}, .top_h = 0.5}, {.top_k = 3}));
  EXPECT_TRUE(ChangesLogits({}, {.frequency_penalty = 1}));
  EXPECT_TRUE(ChangesLogits({}, {.logit_bias = {{1, 2}}}));
  EXPECT_TRUE(ChangesLogits({}, {.min_tokens = 1}));
}

TEST(Logits, RulesThatLeaveNoTokenAreAnError) {
  for (const float temperature : {0.0f, 1.0f}) {
    const auto sampled = Sample(std::vector<float>{1, 2}, {.temperature = temperature}, 0,
                                {.suppress_tokens = {0, 1}}, {});
    EXPECT_EQ(sampled.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(sampled.status().message()), HasSubstr("rule out every token"));
    EXPECT_EQ(base::Reason(sampled.status()), "NO_TOKEN_LEFT");
  }
  EXPECT_THAT(std::string(CheckChoosable(std::vector<float>{0, std::nanf("")}, false).message()),
              HasSubstr("token 1"));
  EXPECT_TRUE(CheckChoosable(std::vector<float>{0, -kBanned}, false).ok());
  EXPECT_FALSE(CheckChoosable(std::vector<float>{0, -kBanned}, true).ok());
}

// Logprobs stay the model's own.
TEST(Logits, LogprobsAreOfTheLogitsAsTheModelGaveThem) {
  const std::vector<float> logits = {std::log(3.0f), std::log(1.0f)};
  const auto sampled =
      Sample(logits, {.temperature = 0, .top_logprobs = 2}, 0, {.suppress_tokens = {0}}, {});
  ASSERT_TRUE(sampled.ok()) << sampled.status();
  EXPECT_EQ(sampled->chosen.token, 1);
  EXPECT_NEAR(sampled->chosen.logprob, std::log(0.25), 1e-6);
  EXPECT_EQ(sampled->top[0].token, 0);
}

TEST(Candidates, TiesAreThoseOfTheReference) {
  const std::vector<float> logits = {1, 2, 1, 1};
  EXPECT_THAT(FindCandidates(logits, {.top_k = 2}, {}).tokens, ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(FindCandidates(logits, {.top_p = 0.6f}, {}).tokens, ElementsAre(1, 3));
  EXPECT_THAT(FindCandidates(logits, {.top_p = 0.7f}, {}).tokens, ElementsAre(1, 2, 3));
  EXPECT_THAT(FindCandidates(logits, {.top_p = 0}, {}).tokens, ElementsAre(1));
}

}  // namespace
}  // namespace terminus::models::sampling
