#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "common/base/errors.h"
#include "services/decoder/pipeline/engine_fixture.h"

namespace terminus::services::decoder::pipeline {
namespace {

using ::testing::HasSubstr;

// Whatever the number of steps in flight.
class EngineLifecycle : public EngineTest, public ::testing::WithParamInterface<int> {
 protected:
  EngineLifecycle() { steps_in_flight_ = GetParam(); }
};
INSTANTIATE_TEST_SUITE_P(StepsInFlight, EngineLifecycle, ::testing::Values(1, 2));

TEST_P(EngineLifecycle, CancelDuringAStepFreesTheBlocksAfterIt) {
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

TEST_P(EngineLifecycle, StopEndsOneChoiceOnly) {
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

TEST_P(EngineLifecycle, OnlySoManyRunTogetherAndTheRestInOrder) {
  size_t most = 0;
  std::vector<int32_t> started;  // First tokens of prompts.
  Gate gate;
  Start({.on_step =
             [&](const models::decoder::StepInput& input) {
               gate.Pass();
               most = std::max(most, input.query_indptr.size() - 1);
               for (size_t i = 0; i < input.positions.size(); ++i) {
                 if (input.positions[i] == 0) started.push_back(input.token_ids[i]);
               }
             }},
        {.max_sequences = 8});
  std::vector<std::shared_ptr<Collector>> sinks;
  std::vector<int32_t> expected;
  for (int i = 0; i < 20; ++i) {
    sinks.push_back(std::make_shared<Collector>());
    engine_->Submit(Ask(sinks.back(), Prompt(i, 3), 5));
    expected.push_back(i);
  }
  gate.WaitForArrival();
  gate.Open();
  for (const auto& sink : sinks) ASSERT_TRUE(sink->Wait().ok());
  engine_.reset();
  EXPECT_EQ(most, 8u);
  EXPECT_EQ(started, expected);
}

TEST_P(EngineLifecycle, AFullSinkRestsAndOthersGoOn) {
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
  EXPECT_EQ(slow->tokens().size(), before) << "steps in flight had ended";
  slow->SetFull(false);
  engine_->Wake();
  ASSERT_TRUE(slow->Wait().ok());
  EXPECT_EQ(slow->tokens(), ToyLm::Greedy(model_, Prompt(0, 10), 100));
}

TEST_P(EngineLifecycle, ADeadlineEndsWhatWaitsAndWhatRests) {
  Start();
  auto sink = std::make_shared<Collector>();
  sink->SetFull(true);
  Generation generation = Ask(sink, Prompt(0, 10), 10);
  generation.deadline = clock_.Now() + absl::Hours(1);
  engine_->Submit(std::move(generation));
  Settle();
  clock_.Advance(3600);
  engine_->Wake();
  const absl::Status status = sink->Wait();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(base::Reason(status), "DEADLINE_EXCEEDED");
  ExpectNoBlockUsed();
}

TEST_P(EngineLifecycle, WhatTheModelFailsWithIsTheAnswer) {
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

TEST_P(EngineLifecycle, DestructionEndsWhatIsUnderWay) {
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

TEST_P(EngineLifecycle, AStormOfCancellationsLeavesNothingBehind) {
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
