#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <fstream>
#include <memory>
#include <random>
#include <thread>

#include "services/decoder/pipeline/engine_fixture.h"

// Tests behaviour that only an asynchronous engine has.
namespace terminus::services::decoder::pipeline {
namespace {

using ::testing::ElementsAre;

// A stage whose steps end when the test says so, each sampled token being 1.
class ManualStage : public Stage {
 public:
  struct Steps {
    base::Mutex mutex;
    base::CondVar changed;
    std::deque<scheduler::StepPlan> plans;
    int flushes = 0;
    OnResult on_result;
    absl::Duration host_time;

    scheduler::StepPlan Wait() {
      base::MutexLock lock(mutex);
      while (plans.empty()) changed.Wait(mutex);
      scheduler::StepPlan plan = plans.front();
      plans.pop_front();
      return plan;
    }
    void Finish(const scheduler::StepPlan& plan) {
      StepTokens tokens;
      for (const scheduler::PlanEntry& entry : plan.entries) {
        if (entry.sample) tokens.push_back(models::sampling::Sampled{.chosen = {.token = 1}});
      }
      on_result({.step = plan.step, .tokens = std::move(tokens), .host_time = host_time});
    }
  };

  explicit ManualStage(Steps& steps) : steps_(steps) {}
  void Submit(scheduler::StepPlan plan) override {
    base::MutexLock lock(steps_.mutex);
    steps_.plans.push_back(std::move(plan));
    steps_.changed.NotifyAll();
  }
  void SendMasks(uint64_t, StepMasks) override {}
  void Flush() override {
    base::MutexLock lock(steps_.mutex);
    ++steps_.flushes;
  }
  const models::decoder::RunnerInfo& info() const override { return info_; }
  const models::sampling::LogitRules& rules() const override { return rules_; }

 private:
  const models::decoder::RunnerInfo info_{.vocab_size = 64,
                                          .hidden_size = 1,
                                          .max_context = 64,
                                          .kv_blocks = 8,
                                          .slots = 8,
                                          .max_tokens = 256,
                                          .steps_in_flight = 2};
  const models::sampling::LogitRules rules_;
  Steps& steps_;
};

TEST_F(EngineTest, TheHostsTimeForAStepIsMeasured) {
  ManualStage::Steps steps;
  steps.host_time = absl::Seconds(2);
  StartWith([&](Stage::OnResult on_result) {
    steps.on_result = std::move(on_result);
    return std::make_unique<ManualStage>(steps);
  });
  auto sink = std::make_shared<Collector>();
  engine_->Submit(Ask(sink, Prompt(0, 3), 3));
  for (int i = 0; i < 3; ++i) {
    steps.Finish(steps.Wait());
  }
  EXPECT_TRUE(sink->Wait().ok());
  // The clock stands still, so planning takes no time.
  ExpectSoon("terminus_decoder_step_host_seconds_count", 3);
  EXPECT_EQ(Value("terminus_decoder_step_host_seconds_sum"), 6);
}

TEST_F(EngineTest, StepNPlusOneIsSubmittedBeforeTheResultsOfStepN) {
  ManualStage::Steps steps;
  StartWith([&](Stage::OnResult on_result) {
    steps.on_result = std::move(on_result);
    return std::make_unique<ManualStage>(steps);
  });
  auto sink = std::make_shared<Collector>();
  engine_->Submit(Ask(sink, Prompt(0, 3), 4));
  // Without run-ahead the second wait would never end.
  scheduler::StepPlan oldest = steps.Wait();
  EXPECT_THAT(oldest.entries.at(0).tokens, ElementsAre(0, 1, 2));
  for (int i = 0; i < 3; ++i) {
    scheduler::StepPlan next = steps.Wait();
    EXPECT_THAT(next.entries.at(0).tokens, ElementsAre(models::decoder::kFromSampler));
    EXPECT_EQ(sink->tokens().size(), static_cast<size_t>(i)) << "its input is not known yet";
    steps.Finish(oldest);
    sink->WaitForTokens(static_cast<size_t>(i) + 1);
    oldest = std::move(next);
  }
  steps.Finish(oldest);
  ASSERT_TRUE(sink->Wait().ok());
  EXPECT_EQ(sink->tokens().size(), 4u);
  engine_.reset();
  EXPECT_GT(steps.flushes, 0) << "the last step would be held back";
}

// Steps of 10 s are foreseen after some of them: what arrives while one is under way is in the
// next.
TEST_F(EngineTest, APromptThatArrivesInTheMiddleOfAStepIsInTheNext) {
  ManualStage::Steps steps;
  StartWith([&](Stage::OnResult on_result) {
    steps.on_result = std::move(on_result);
    return std::make_unique<ManualStage>(steps);
  });
  auto running = std::make_shared<Collector>();
  const uint64_t id = engine_->Submit(Ask(running, Prompt(0, 3), 40));
  std::deque<scheduler::StepPlan> in_flight = {steps.Wait(), steps.Wait()};
  for (size_t made = 1; made <= 5; ++made) {
    steps.Finish(in_flight.front());
    in_flight.pop_front();
    running->WaitForTokens(made);
    // Foreseen, the next step is planned shortly before this one's end.
    clock_.Advance(10);
    engine_->Wake();
    in_flight.push_back(steps.Wait());
  }
  steps.Finish(in_flight.front());
  in_flight.pop_front();
  running->WaitForTokens(6);
  auto arrived = std::make_shared<Collector>();
  const uint64_t other = engine_->Submit(Ask(arrived, Prompt(20, 4), 2));
  clock_.Advance(10);
  engine_->Wake();
  in_flight.push_back(steps.Wait());
  EXPECT_THAT(in_flight.back().entries, ::testing::SizeIs(2))
      << "the running one and the new prompt";
  engine_->Cancel(id);
  engine_->Cancel(other);
  for (const scheduler::StepPlan& plan : in_flight) {
    steps.Finish(plan);
  }
}

TEST_F(EngineTest, CancelToReleaseIsMeasuredByTheEnginesClock) {
  Gate gate;
  Start({.on_step = [&](const models::decoder::StepInput&) { gate.Pass(); }});
  auto sink = std::make_shared<Collector>();
  const uint64_t id = engine_->Submit(Ask(sink, Prompt(0, 40), 50));
  gate.WaitForArrival();
  engine_->Cancel(id);
  ASSERT_FALSE(sink->Wait().ok());
  clock_.Advance(5);
  gate.Open();
  ExpectNoBlockUsed();
  ExpectSoon("terminus_decoder_cancel_to_release_seconds_count", 1);
  EXPECT_EQ(Value("terminus_decoder_cancel_to_release_seconds_sum"), 5);
}

// Of this process.
int CountThreads() {
  std::ifstream status("/proc/self/status");
  std::string key;
  int count = 0;
  while (status >> key && key != "Threads:") {
  }
  status >> count;
  return count;
}

TEST_F(EngineTest, AThousandClientsThatLeaveMidStreamLeaveNothingBehind) {
  Start({.kv_blocks = 40}, {.max_sequences = 16, .token_budget = 64});
  const int threads = CountThreads();
  std::array<std::vector<std::weak_ptr<Collector>>, 10> sinks;
  std::vector<std::thread> clients;
  for (int c = 0; c < 10; ++c) {
    clients.emplace_back([this, c, &sinks] {
      std::mt19937 random(static_cast<uint32_t>(c));
      for (int i = 0; i < 100; ++i) {
        auto sink = std::make_shared<Collector>();
        sinks[static_cast<size_t>(c)].push_back(sink);
        sink->SetLimit(4);  // Else it might end before it is cancelled.
        Generation generation = Ask(sink, Prompt(static_cast<int>(random() % 50), 20), 100);
        generation.choices = 1 + static_cast<int>(random() % 2);
        const uint64_t id = engine_->Submit(std::move(generation));
        sink->WaitForTokens(1 + random() % 3);
        engine_->Cancel(id);
        EXPECT_TRUE(absl::IsCancelled(sink->Wait()));
      }
    });
  }
  for (std::thread& client : clients) client.join();
  ExpectNoBlockUsed();
  ExpectSoon("terminus_decoder_running_sequences", 0);
  ExpectSoon("terminus_decoder_waiting_sequences", 0);
  ExpectSoon("terminus_decoder_steps_in_flight", 0);
  EXPECT_GE(Value("terminus_decoder_cancel_to_release_seconds_count"), 1000);
  EXPECT_EQ(CountThreads(), threads);
  for (const auto& of_client : sinks) {
    EXPECT_EQ(of_client.size(), 100u);
    for (const std::weak_ptr<Collector>& sink : of_client) EXPECT_TRUE(sink.expired());
  }
}

// Allows tokens in turns: even ones, then odd ones.
class EvenOdd : public TokenConstraint {
 public:
  // Fails once the answer has `end` tokens.
  explicit EvenOdd(int end = -1) : end_(end) {}

  absl::Status Advance(absl::Span<const int32_t> tokens, absl::Span<uint32_t> mask) override {
    for (const int32_t token : tokens) {
      EXPECT_EQ(token % 2, tokens_++ % 2);
    }
    std::fill(mask.begin(), mask.end(), tokens_ % 2 == 1 ? 0xaaaaaaaa : 0x55555555);
    return tokens_ == end_ ? absl::InvalidArgumentError("the third token is too much")
                           : absl::OkStatus();
  }

 private:
  const int end_;
  int tokens_ = 0;
};

class EngineMasks : public EngineTest, public ::testing::WithParamInterface<int> {
 protected:
  EngineMasks() { steps_in_flight_ = GetParam(); }

  std::shared_ptr<Collector> AskConstrained(int i) {
    auto sink = std::make_shared<Collector>();
    Generation generation = Ask(sink, Prompt(i, 20), 30, 1.0f);
    generation.choices = 2;
    generation.constraint = [] { return std::make_unique<EvenOdd>(); };
    engine_->Submit(std::move(generation));
    return sink;
  }
};
INSTANTIATE_TEST_SUITE_P(StepsInFlight, EngineMasks, ::testing::Values(1, 2));

TEST_P(EngineMasks, ConstrainedAnswersAreTheSameAloneBesideOthersAndAfterPreemption) {
  Start();
  std::vector<std::shared_ptr<Collector>> alone;
  for (int i = 0; i < 4; ++i) {
    alone.push_back(AskConstrained(i));
    ASSERT_TRUE(alone.back()->Wait().ok()) << alone.back()->Wait();
    for (int choice = 0; choice < 2; ++choice) {
      const std::vector<int32_t> tokens = alone.back()->tokens(choice);
      ASSERT_EQ(tokens.size(), 30u);
      for (size_t t = 0; t < tokens.size(); ++t) EXPECT_EQ(tokens[t] % 2, t % 2);
    }
  }
  // No step ends before all are there, so that blocks are short for certain.
  Gate gate;
  Start({.kv_blocks = 12, .on_step = [&gate](const models::decoder::StepInput&) { gate.Pass(); }},
        {.max_sequences = 6, .token_budget = 24});
  std::vector<std::shared_ptr<Collector>> together;
  std::vector<std::shared_ptr<Collector>> plain;
  for (int i = 0; i < 4; ++i) {
    together.push_back(AskConstrained(i));
    plain.push_back(std::make_shared<Collector>());
    engine_->Submit(Ask(plain.back(), Prompt(i, 25), 30));
  }
  gate.Open();
  for (size_t i = 0; i < together.size(); ++i) {
    ASSERT_TRUE(together[i]->Wait().ok()) << together[i]->Wait();
    EXPECT_EQ(together[i]->tokens(0), alone[i]->tokens(0));
    EXPECT_EQ(together[i]->tokens(1), alone[i]->tokens(1));
    ASSERT_TRUE(plain[i]->Wait().ok());
    EXPECT_EQ(plain[i]->tokens(), ToyLm::Greedy(model_, Prompt(static_cast<int>(i), 25), 30));
  }
  EXPECT_GT(Value("terminus_decoder_preemptions_total"), 0);
  ExpectNoBlockUsed();
}

// A generation whose mask cannot be made ends by that; the others of its steps go on.
TEST_P(EngineMasks, AnAnswerThatCannotGoOnEndsAlone) {
  Start();
  const auto fine = AskConstrained(0);
  auto plain = std::make_shared<Collector>();
  engine_->Submit(Ask(plain, Prompt(3, 25), 30));
  auto failing = std::make_shared<Collector>();
  Generation generation = Ask(failing, Prompt(1, 20), 30, 1.0f);
  generation.constraint = [] { return std::make_unique<EvenOdd>(/*end=*/2); };
  engine_->Submit(std::move(generation));
  EXPECT_EQ(failing->Wait(), absl::InvalidArgumentError("the third token is too much"));
  EXPECT_EQ(failing->tokens().size(), 2u) << "no token behind the mask that failed";
  ASSERT_TRUE(fine->Wait().ok()) << fine->Wait();
  EXPECT_EQ(fine->tokens(1).size(), 30u);
  ASSERT_TRUE(plain->Wait().ok()) << plain->Wait();
  EXPECT_EQ(plain->tokens(), ToyLm::Greedy(model_, Prompt(3, 25), 30));
  // Three of the failing answer; of two choices each.
  ExpectSoon("terminus_decoder_mask_seconds_count", 3 + 2 * 30);
  ExpectNoBlockUsed();
}

TEST_P(EngineMasks, ClosingDoesNotWaitForMasksThatNobodyNeeds) {
  Start();
  const auto sink = AskConstrained(0);
  sink->WaitForTokens(2);
  engine_.reset();
  EXPECT_EQ(sink->Wait().code(), absl::StatusCode::kUnavailable);
}

models::decoder::SoftSpan Image(uint64_t hash) {
  auto image = std::make_shared<models::decoder::SoftTokens>();
  *image = {.content_hash = hash, .rows = 20, .values = std::vector<float>(20)};
  return {.first_token = 4, .first_row = 0, .rows = 20, .tokens = image};
}

TEST_F(EngineTest, SoftTokensAreComputedAndNameThePrefix) {
  Start({}, {.max_sequences = 4, .token_budget = 16});
  for (const uint64_t hash : {5, 6, 5}) {
    auto sink = std::make_shared<Collector>();
    Generation generation = Ask(sink, Prompt(0, 40), 8);
    generation.soft = {Image(hash)};
    engine_->Submit(std::move(generation));
    ASSERT_TRUE(sink->Wait().ok()) << sink->Wait();
    EXPECT_EQ(sink->tokens(), ToyLm::Greedy(model_, Prompt(0, 40), 8, {Image(hash)}));
  }
  EXPECT_NE(ToyLm::Greedy(model_, Prompt(0, 40), 8, {Image(5)}),
            ToyLm::Greedy(model_, Prompt(0, 40), 8, {Image(6)}));
  EXPECT_EQ(Value("terminus_decoder_tokens_total{kind=\"cached_prompt\"}"), 32);
}

}  // namespace
}  // namespace terminus::services::decoder::pipeline
