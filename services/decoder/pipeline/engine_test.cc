#include "services/decoder/pipeline/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "common/base/errors.h"
#include "services/decoder/pipeline/lm_stage.h"
#include "services/decoder/testing/toy_lm.h"

namespace terminus::services::decoder::pipeline {
namespace {

using ::testing::HasSubstr;
using ToyLm = decoder::testing::ToyLm;

// Collects what a generation gives.
class Collector : public TokenSink {
 public:
  bool Full(int choice) const override {
    base::MutexLock lock(mutex_);
    return choice < static_cast<int>(full_.size()) && full_[static_cast<size_t>(choice)];
  }
  void OnToken(int choice, models::sampling::Sampled token) override {
    base::MutexLock lock(mutex_);
    tokens_[choice].push_back(token.chosen.token);
    changed_.NotifyAll();
  }
  void OnEnd(int choice, EndReason reason) override {
    base::MutexLock lock(mutex_);
    ends_[choice] = reason;
  }
  void OnDone(const absl::Status& status, const GenerationReport& report) override {
    base::MutexLock lock(mutex_);
    EXPECT_FALSE(done_) << "done twice";
    done_ = true;
    status_ = status;
    report_ = report;
    changed_.NotifyAll();
  }

  void SetFull(bool full) {
    base::MutexLock lock(mutex_);
    full_ = {full};
  }
  absl::Status Wait() {
    base::MutexLock lock(mutex_);
    while (!done_) changed_.Wait(mutex_);
    return status_;
  }
  void WaitForTokens(size_t count) {
    base::MutexLock lock(mutex_);
    while (!done_ && tokens_[0].size() < count) changed_.Wait(mutex_);
  }
  std::vector<int32_t> tokens(int choice = 0) {
    base::MutexLock lock(mutex_);
    return tokens_[choice];
  }
  std::map<int, EndReason> ends() {
    base::MutexLock lock(mutex_);
    return ends_;
  }
  GenerationReport report() {
    base::MutexLock lock(mutex_);
    return report_;
  }

 private:
  mutable base::Mutex mutex_;
  base::CondVar changed_;
  std::vector<bool> full_;
  std::map<int, std::vector<int32_t>> tokens_;
  std::map<int, EndReason> ends_;
  bool done_ = false;
  absl::Status status_;
  GenerationReport report_;
};

std::vector<int32_t> Prompt(int from, int count) {
  std::vector<int32_t> tokens(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) tokens[static_cast<size_t>(i)] = (from + i) % 60;
  return tokens;
}

class EngineTest : public ::testing::Test {
 protected:
  void Start(ToyLm::Options model = {}, scheduler::StepLimits limits = {},
             models::sampling::LogitRules rules = {}) {
    model_ = model;
    std::vector<int32_t> eos;
    if (model.eos_token >= 0) eos.push_back(model.eos_token);
    engine_ = std::make_unique<Engine>(
        Engine::Options{.limits = limits, .eos_token_ids = eos},
        std::make_unique<LmStage>(std::make_unique<ToyLm>(model), std::move(rules)), metrics_);
  }

  Generation Ask(const std::shared_ptr<Collector>& sink, std::vector<int32_t> prompt,
                 int max_tokens, float temperature = 0) {
    Generation generation;
    generation.prompt = std::move(prompt);
    generation.sampling = {.temperature = temperature, .seed = 11};
    generation.max_tokens = max_tokens;
    generation.arrival = absl::Now();
    generation.sink = sink;
    return generation;
  }

  // Waits for the engine to be through with all that was posted before.
  void Settle() {
    auto sink = std::make_shared<Collector>();
    engine_->Submit(Ask(sink, {1}, 1));
    ASSERT_TRUE(sink->Wait().ok());
  }

  double Value(const std::string& metric) {
    const std::string text = "\n" + registry_.Scrape();
    const size_t at = text.find("\n" + metric + " ");
    EXPECT_NE(at, std::string::npos) << metric;
    return std::stod(text.substr(at + metric.size() + 2));
  }
  // The gauges follow a step's ends, which the sinks hear of first.
  void ExpectSoon(const std::string& metric, double value) {
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    while (Value(metric) != value && absl::Now() < deadline) {
      std::this_thread::yield();
    }
    EXPECT_EQ(Value(metric), value) << metric;
  }
  void ExpectNoBlockUsed() { ExpectSoon("terminus_decoder_kv_blocks{state=\"used\"}", 0); }
  double UsedBlocks() { return Value("terminus_decoder_kv_blocks{state=\"used\"}"); }

  ToyLm::Options model_;
  metrics::Registry registry_{"test"};
  EngineMetrics metrics_{registry_};
  std::unique_ptr<Engine> engine_;
};

TEST_F(EngineTest, AnswersAsTheModelDoesAlone) {
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

TEST_F(EngineTest, AnEndOfSequenceTokenEndsIt) {
  Start({.eos_token = 63, .eos_period = 8});
  auto sink = std::make_shared<Collector>();
  engine_->Submit(Ask(sink, Prompt(1, 5), 100));
  ASSERT_TRUE(sink->Wait().ok());
  EXPECT_EQ(sink->tokens(), ToyLm::Greedy(model_, Prompt(1, 5), 100));
  EXPECT_EQ(sink->tokens().back(), 63);
  EXPECT_EQ(sink->ends().at(0), EndReason::kStop);
}

TEST_F(EngineTest, TheContextEndsIt) {
  Start({.max_context = 32});
  auto sink = std::make_shared<Collector>();
  engine_->Submit(Ask(sink, Prompt(1, 20), 100));
  ASSERT_TRUE(sink->Wait().ok());
  EXPECT_EQ(sink->tokens().size(), 12u);
  EXPECT_EQ(sink->ends().at(0), EndReason::kLength);
}

TEST_F(EngineTest, ContextIsWhatTheBlocksHold) {
  Start({.max_context = 1000, .kv_blocks = 4});
  EXPECT_EQ(engine_->max_context(), 64);
  auto sink = std::make_shared<Collector>();
  engine_->Submit(Ask(sink, Prompt(1, 40), 100));
  ASSERT_TRUE(sink->Wait().ok());
  EXPECT_EQ(sink->tokens().size(), 24u);
}

// The same answers whatever runs beside them and however short memory is: batched, in chunks,
// preempted and computed again, with prefixes shared.
TEST_F(EngineTest, BatchingPreemptionAndPrefixesNeverChangeAnAnswer) {
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

TEST_F(EngineTest, SampledAnswersAreTheSameAloneAndBatched) {
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
TEST_F(EngineTest, PreemptionAndCachedPrefixesDoNotChangePenalties) {
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

TEST_F(EngineTest, ForcedLastTokenComesAtTheGreatestLength) {
  Start({.max_context = 32}, {}, {.forced_eos_token_ids = {41}});
  for (const int max_tokens : {6, 100}) {
    auto sink = std::make_shared<Collector>();
    engine_->Submit(Ask(sink, Prompt(1, 20), max_tokens));
    ASSERT_TRUE(sink->Wait().ok());
    EXPECT_EQ(sink->tokens().back(), 41);
    EXPECT_EQ(sink->tokens().size(), max_tokens == 6 ? 6u : 12u);
  }
}

TEST_F(EngineTest, ASequenceWithoutAnyTokenLeftFailsAlone) {
  std::vector<int32_t> all(64);
  for (int32_t i = 0; i < 64; ++i) all[static_cast<size_t>(i)] = i;
  Start({}, {}, {.begin_suppress_tokens = all});
  auto sink = std::make_shared<Collector>();
  engine_->Submit(Ask(sink, Prompt(1, 5), 3));
  EXPECT_THAT(std::string(sink->Wait().message()), HasSubstr("rule out every token"));
}

TEST_F(EngineTest, ChoicesShareThePromptAndDiffer) {
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

TEST_F(EngineTest, APromptThatBeginsLikeAnEarlierOneIsNotComputedAgain) {
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

// Holds the device's thread at the start of a step.
class Gate {
 public:
  void Pass() {
    base::MutexLock lock(mutex_);
    ++arrived_;
    changed_.NotifyAll();
    while (!open_) changed_.Wait(mutex_);
  }
  void WaitForArrival() {
    base::MutexLock lock(mutex_);
    while (arrived_ == 0) changed_.Wait(mutex_);
  }
  void Open() {
    base::MutexLock lock(mutex_);
    open_ = true;
    changed_.NotifyAll();
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  int arrived_ = 0;
  bool open_ = false;
};

TEST_F(EngineTest, CancelDuringAStepFreesTheBlocksAfterIt) {
  Gate gate;
  Start({.on_step = [&](const models::decoder::StepInput&) { gate.Pass(); }});
  auto sink = std::make_shared<Collector>();
  const uint64_t id = engine_->Submit(Ask(sink, Prompt(0, 40), 50));
  gate.WaitForArrival();
  engine_->Cancel(id);
  EXPECT_EQ(sink->Wait().code(), absl::StatusCode::kCancelled) << "without waiting for the step";
  EXPECT_EQ(UsedBlocks(), 3) << "the step still writes to them";
  gate.Open();
  Settle();
  ExpectNoBlockUsed();
  EXPECT_TRUE(sink->tokens().empty());
  engine_->Cancel(id);
  Settle();
}

TEST_F(EngineTest, StopEndsOneChoiceOnly) {
  Gate gate;
  Start({.on_step = [&](const models::decoder::StepInput&) { gate.Pass(); }});
  auto sink = std::make_shared<Collector>();
  Generation generation = Ask(sink, Prompt(0, 4), 10);
  generation.choices = 2;
  const uint64_t id = engine_->Submit(std::move(generation));
  gate.WaitForArrival();
  engine_->Stop(id, 0);
  engine_->Stop(id, 0);
  engine_->Stop(id + 1, 0);
  gate.Open();
  ASSERT_TRUE(sink->Wait().ok());
  EXPECT_TRUE(sink->tokens(0).empty());
  EXPECT_EQ(sink->tokens(1).size(), 10u);
  EXPECT_EQ(sink->ends().at(0), EndReason::kStop);
  EXPECT_EQ(sink->ends().at(1), EndReason::kLength);
}

TEST_F(EngineTest, OnlySoManyRunTogetherAndTheRestInOrder) {
  std::atomic<int> most{0};
  Gate gate;
  Start({.on_step =
             [&](const models::decoder::StepInput& input) {
               gate.Pass();
               most = std::max<int>(most, static_cast<int>(input.query_indptr.size()) - 1);
             }},
        {.max_sequences = 8});
  std::vector<std::shared_ptr<Collector>> sinks;
  std::vector<absl::Time> arrivals;
  for (int i = 0; i < 20; ++i) {
    sinks.push_back(std::make_shared<Collector>());
    Generation generation = Ask(sinks.back(), Prompt(i, 3), 5);
    arrivals.push_back(generation.arrival);
    engine_->Submit(std::move(generation));
  }
  gate.WaitForArrival();
  gate.Open();
  absl::Time last = absl::InfinitePast();
  for (size_t i = 0; i < sinks.size(); ++i) {
    ASSERT_TRUE(sinks[i]->Wait().ok());
    const absl::Time started = arrivals[i] + sinks[i]->report().queue;
    EXPECT_GE(started, last) << "out of order";
    last = started;
  }
  EXPECT_EQ(most, 8);
}

TEST_F(EngineTest, AFullSinkRestsAndOthersGoOn) {
  Start({.kv_blocks = 8}, {.max_sequences = 1});
  auto slow = std::make_shared<Collector>();
  engine_->Submit(Ask(slow, Prompt(0, 10), 100));
  slow->WaitForTokens(3);
  slow->SetFull(true);
  Settle();
  const size_t before = slow->tokens().size();
  auto other = std::make_shared<Collector>();
  engine_->Submit(Ask(other, Prompt(5, 10), 100));
  ASSERT_TRUE(other->Wait().ok());
  EXPECT_LE(slow->tokens().size(), before + 1) << "at most the step that was under way";
  slow->SetFull(false);
  engine_->Wake();
  ASSERT_TRUE(slow->Wait().ok());
  EXPECT_EQ(slow->tokens(), ToyLm::Greedy(model_, Prompt(0, 10), 100));
}

TEST_F(EngineTest, ADeadlineEndsWhatWaitsAndWhatRests) {
  Start();
  auto sink = std::make_shared<Collector>();
  sink->SetFull(true);
  Generation generation = Ask(sink, Prompt(0, 10), 10);
  generation.deadline = absl::Now() + absl::Milliseconds(20);
  engine_->Submit(std::move(generation));
  const absl::Status status = sink->Wait();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(base::Reason(status), "DEADLINE_EXCEEDED");
  ExpectNoBlockUsed();
}

TEST_F(EngineTest, WhatTheModelFailsWithIsTheAnswer) {
  Start({.poison_token = 50, .throwing_token = 51});
  auto poisoned = std::make_shared<Collector>();
  auto healthy = std::make_shared<Collector>();
  engine_->Submit(Ask(poisoned, {1, 50}, 10));
  engine_->Submit(Ask(healthy, {2, 3}, 2));
  EXPECT_EQ(poisoned->Wait().code(), absl::StatusCode::kInternal);
  ASSERT_TRUE(healthy->Wait().ok());
  auto thrown = std::make_shared<Collector>();
  engine_->Submit(Ask(thrown, {51}, 10));
  EXPECT_THAT(std::string(thrown->Wait().message()), HasSubstr("the device is gone"));
  Settle();
  ExpectNoBlockUsed();
}

TEST_F(EngineTest, DestructionEndsWhatIsUnderWay) {
  Gate gate;
  Start({.on_step = [&](const models::decoder::StepInput&) { gate.Pass(); }});
  auto running = std::make_shared<Collector>();
  engine_->Submit(Ask(running, Prompt(0, 10), 100));
  gate.WaitForArrival();
  std::thread end([&] { engine_.reset(); });
  EXPECT_EQ(running->Wait().code(), absl::StatusCode::kUnavailable);
  gate.Open();
  end.join();
}

TEST_F(EngineTest, AStormOfCancellationsLeavesNothingBehind) {
  Start({.kv_blocks = 10}, {.max_sequences = 4, .token_budget = 16});
  std::vector<std::thread> clients;
  for (int c = 0; c < 4; ++c) {
    clients.emplace_back([this, c] {
      std::mt19937 random(static_cast<uint32_t>(c));
      for (int i = 0; i < 60; ++i) {
        auto sink = std::make_shared<Collector>();
        Generation generation =
            Ask(sink, Prompt(static_cast<int>(random() % 50), 1 + random() % 60),
                1 + static_cast<int>(random() % 60));
        generation.choices = 1 + static_cast<int>(random() % 3);
        const uint64_t id = engine_->Submit(std::move(generation));
        if (random() % 2 == 0) sink->WaitForTokens(random() % 5);
        if (random() % 3 != 0) engine_->Cancel(id);
        const absl::Status status = sink->Wait();
        EXPECT_TRUE(status.ok() || absl::IsCancelled(status)) << status;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  Settle();
  ExpectNoBlockUsed();
  ExpectSoon("terminus_decoder_running_sequences", 0);
}

}  // namespace
}  // namespace terminus::services::decoder::pipeline
