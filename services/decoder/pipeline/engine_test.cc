#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <random>

#include "services/decoder/pipeline/engine_fixture.h"

namespace terminus::services::decoder::pipeline {
namespace {

using ::testing::HasSubstr;

// Whatever the number of steps in flight.
class EngineAnswers : public EngineTest, public ::testing::WithParamInterface<int> {
 protected:
  EngineAnswers() { steps_in_flight_ = GetParam(); }
};
INSTANTIATE_TEST_SUITE_P(StepsInFlight, EngineAnswers, ::testing::Values(1, 2));

TEST_P(EngineAnswers, AnswersAsTheModelDoesAlone) {
  Start();
  auto sink = std::make_shared<Collector>();
  engine_->Submit(Ask(sink, Prompt(3, 20), 30));
  ASSERT_TRUE(sink->Wait().ok());
  EXPECT_EQ(sink->tokens(), ToyLm::Greedy(model_, Prompt(3, 20), 30));
  EXPECT_EQ(sink->ends(), (std::map<int, EndReason>{{0, EndReason::kLength}}));
  EXPECT_EQ(sink->report().prompt_tokens, 20);
  ExpectNoBlockUsed();
  EXPECT_EQ(Value("terminus_decoder_tokens_total{kind=\"generated\"}"), 30);
}

TEST_P(EngineAnswers, AnEndOfSequenceTokenEndsIt) {
  Start({.eos_token = 63, .eos_period = 8});
  auto sink = std::make_shared<Collector>();
  engine_->Submit(Ask(sink, Prompt(1, 5), 100));
  ASSERT_TRUE(sink->Wait().ok());
  EXPECT_EQ(sink->tokens(), ToyLm::Greedy(model_, Prompt(1, 5), 100));
  EXPECT_EQ(sink->tokens().back(), 63);
  EXPECT_EQ(sink->ends().at(0), EndReason::kStop);
}

TEST_P(EngineAnswers, TheContextEndsIt) {
  Start({.max_context = 32});
  auto sink = std::make_shared<Collector>();
  engine_->Submit(Ask(sink, Prompt(1, 20), 100));
  ASSERT_TRUE(sink->Wait().ok());
  EXPECT_EQ(sink->tokens().size(), 12u);
  EXPECT_EQ(sink->ends().at(0), EndReason::kLength);
}

TEST_P(EngineAnswers, ContextIsWhatTheBlocksHold) {
  Start({.max_context = 1000, .kv_blocks = 4});
  EXPECT_EQ(engine_->max_context(), 64);
  auto sink = std::make_shared<Collector>();
  engine_->Submit(Ask(sink, Prompt(1, 40), 100));
  ASSERT_TRUE(sink->Wait().ok());
  EXPECT_EQ(sink->tokens().size(), 24u);
}

// The same answers whatever runs beside them and however short memory is: batched, in chunks,
// preempted and computed again, with prefixes shared.
TEST_P(EngineAnswers, BatchingPreemptionAndPrefixesNeverChangeAnAnswer) {
  for (const int blocks : {8, 10, 64}) {
    Start({.kv_blocks = blocks}, {.max_sequences = 6, .token_budget = 24});
    std::mt19937 random(static_cast<uint32_t>(blocks));
    std::vector<std::shared_ptr<Collector>> sinks;
    std::vector<std::vector<int32_t>> prompts;
    std::vector<int> lengths;
    for (int i = 0; i < 40; ++i) {
      prompts.push_back(Prompt(static_cast<int>(random() % 3) * 7, 1 + random() % 60));
      lengths.push_back(1 + static_cast<int>(random() % 60));
      sinks.push_back(std::make_shared<Collector>());
      engine_->Submit(Ask(sinks.back(), prompts.back(), lengths.back()));
    }
    for (size_t i = 0; i < sinks.size(); ++i) {
      ASSERT_TRUE(sinks[i]->Wait().ok()) << sinks[i]->Wait();
      EXPECT_EQ(sinks[i]->tokens(), ToyLm::Greedy(model_, prompts[i], lengths[i])) << i;
    }
    ExpectNoBlockUsed();
    ExpectSoon("terminus_decoder_running_sequences", 0);
    ExpectSoon("terminus_decoder_waiting_sequences", 0);
    if (blocks == 8) {
      EXPECT_GT(Value("terminus_decoder_preemptions_total"), 0);
    }
  }
}

TEST_P(EngineAnswers, SampledAnswersAreTheSameAloneAndBatched) {
  Start({.kv_blocks = 12}, {.max_sequences = 4, .token_budget = 16});
  std::vector<std::vector<int32_t>> alone;
  for (int i = 0; i < 8; ++i) {
    auto sink = std::make_shared<Collector>();
    engine_->Submit(Ask(sink, Prompt(i, 10 + i), 30, 1.0f));
    ASSERT_TRUE(sink->Wait().ok());
    alone.push_back(sink->tokens());
  }
  std::vector<std::shared_ptr<Collector>> sinks;
  for (int i = 0; i < 8; ++i) {
    sinks.push_back(std::make_shared<Collector>());
    engine_->Submit(Ask(sinks.back(), Prompt(i, 10 + i), 30, 1.0f));
  }
  for (size_t i = 0; i < sinks.size(); ++i) {
    ASSERT_TRUE(sinks[i]->Wait().ok());
    EXPECT_EQ(sinks[i]->tokens(), alone[i]) << i;
  }
  EXPECT_NE(alone[0], ToyLm::Greedy(model_, Prompt(0, 10), 30)) << "nothing was sampled";
}

// Rules that look at all tokens before see the same ones whether a sequence is computed at once, in
// chunks, from cached blocks, or again after it was preempted.
TEST_P(EngineAnswers, PreemptionAndCachedPrefixesDoNotChangePenalties) {
  const models::sampling::LogitRules rules = {.sequence_bias = {{{3, 4, 5}, 2.0f}},
                                              .encoder_repetition_penalty = 1.2f,
                                              .no_repeat_ngram_size = 3};
  const auto ask = [&](int i) {
    auto sink = std::make_shared<Collector>();
    Generation generation = Ask(sink, Prompt(i % 3 * 7, 20 + i % 5), 40, i % 2 == 0 ? 0.0f : 1.0f);
    generation.sampling.repetition_penalty = 1.3f;
    engine_->Submit(std::move(generation));
    return sink;
  };
  Start({}, {.max_sequences = 1, .token_budget = 256}, rules);
  std::vector<std::vector<int32_t>> alone;
  for (int i = 0; i < 12; ++i) {
    const auto sink = ask(i);
    ASSERT_TRUE(sink->Wait().ok());
    alone.push_back(sink->tokens());
  }
  EXPECT_NE(alone[0], ToyLm::Greedy(model_, Prompt(0, 20), 40)) << "no rule applied";
  Start({.kv_blocks = 10}, {.max_sequences = 6, .token_budget = 24}, rules);
  std::vector<std::shared_ptr<Collector>> sinks;
  for (int i = 0; i < 12; ++i) {
    sinks.push_back(ask(i));
  }
  for (size_t i = 0; i < sinks.size(); ++i) {
    ASSERT_TRUE(sinks[i]->Wait().ok());
    EXPECT_EQ(sinks[i]->tokens(), alone[i]) << i;
  }
  EXPECT_GT(Value("terminus_decoder_preemptions_total"), 0);
}

TEST_P(EngineAnswers, ForcedLastTokenComesAtTheGreatestLength) {
  Start({.max_context = 32}, {}, {.forced_eos_token_ids = {41}});
  for (const int max_tokens : {6, 100}) {
    auto sink = std::make_shared<Collector>();
    engine_->Submit(Ask(sink, Prompt(1, 20), max_tokens));
    ASSERT_TRUE(sink->Wait().ok());
    EXPECT_EQ(sink->tokens().back(), 41);
    EXPECT_EQ(sink->tokens().size(), max_tokens == 6 ? 6u : 12u);
  }
}

TEST_P(EngineAnswers, ASequenceWithoutAnyTokenLeftFailsAlone) {
  std::vector<int32_t> all(64);
  for (int32_t i = 0; i < 64; ++i) all[static_cast<size_t>(i)] = i;
  Start({}, {}, {.begin_suppress_tokens = all});
  auto sink = std::make_shared<Collector>();
  engine_->Submit(Ask(sink, Prompt(1, 5), 3));
  EXPECT_THAT(std::string(sink->Wait().message()), HasSubstr("rule out every token"));
}

TEST_P(EngineAnswers, ChoicesShareThePromptAndDiffer) {
  // Counts what is computed: 33 tokens once, then the last of each other choice's prompt.
  std::atomic<int> prompt_tokens{0};
  Start({.on_step = [&](const models::decoder::StepInput& input) {
    for (const int32_t position : input.positions) prompt_tokens += position < 33;
  }});
  auto sink = std::make_shared<Collector>();
  Generation generation = Ask(sink, Prompt(0, 33), 20, 1.0f);
  generation.choices = 4;
  engine_->Submit(std::move(generation));
  ASSERT_TRUE(sink->Wait().ok());
  EXPECT_EQ(sink->ends().size(), 4u);
  for (int choice = 0; choice < 4; ++choice) {
    EXPECT_EQ(sink->tokens(choice).size(), 20u);
  }
  EXPECT_NE(sink->tokens(0), sink->tokens(1));
  EXPECT_NE(sink->tokens(1), sink->tokens(2));
  EXPECT_EQ(prompt_tokens, 33 + 3);
  ExpectNoBlockUsed();
}

TEST_P(EngineAnswers, APromptThatBeginsLikeAnEarlierOneIsNotComputedAgain) {
  Start();
  auto first = std::make_shared<Collector>();
  engine_->Submit(Ask(first, Prompt(0, 40), 1));
  ASSERT_TRUE(first->Wait().ok());
  EXPECT_EQ(first->report().cached_prompt_tokens, 0);
  auto second = std::make_shared<Collector>();
  engine_->Submit(Ask(second, Prompt(0, 50), 4));
  ASSERT_TRUE(second->Wait().ok());
  EXPECT_EQ(second->report().cached_prompt_tokens, 32);
  EXPECT_EQ(second->tokens(), ToyLm::Greedy(model_, Prompt(0, 50), 4));
}

}  // namespace
}  // namespace terminus::services::decoder::pipeline
