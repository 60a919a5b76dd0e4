#include "services/decoder/grid/grid.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <stdexcept>

#include "services/decoder/grid/grid_fixture.h"
#include "services/decoder/pipeline/engine_fixture.h"

namespace terminus::services::decoder::grid {
namespace {

using pipeline::Collector;
using pipeline::Prompt;
using pipeline::ToyLm;
using ::testing::Each;
using ::testing::HasSubstr;

class PipelineTest : public pipeline::EngineTest {
 protected:
  void Open(int stages, const ToyLm::Options& model = {}, int max_losses = 3) {
    model_ = model;
    grid_ = std::make_unique<ToyGrid>(GridShape{.pipeline = stages}, model);
    if (max_losses == 0) {
      // The ranks that are left look for a front that does not come.
      grid_->rank_patience = absl::Seconds(5);
    }
    grid_->StartAll(/*times=*/max_losses + 1);
    auto stage = grid_->Open(max_losses);
    ASSERT_TRUE(stage.ok()) << stage.status();
    StartWith(GridStage::Factory(*std::move(stage)), {.max_sequences = 16});
  }

  void ExpectAllEnded() {
    engine_.reset();
    EXPECT_THAT(grid_->Join(), Each(absl::OkStatus()));
  }

  std::unique_ptr<ToyGrid> grid_;
};

TEST_F(PipelineTest, AnswersAreThoseOfOneStage) {
  for (const int stages : {2, 3, 4}) {
    Open(stages);
    std::vector<std::shared_ptr<Collector>> sinks;
    for (int i = 0; i < 24; ++i) {
      sinks.push_back(std::make_shared<Collector>());
      engine_->Submit(Ask(sinks.back(), Prompt(i, 3 + 2 * i), 5 + i));
    }
    for (int i = 0; i < 24; ++i) {
      ASSERT_TRUE(sinks[i]->Wait().ok()) << stages;
      EXPECT_EQ(sinks[i]->tokens(), ToyLm::Greedy(model_, Prompt(i, 3 + 2 * i), 5 + i))
          << stages << " stages, generation " << i;
    }
    ExpectNoBlockUsed();
    ExpectAllEnded();
  }
}

TEST_F(PipelineTest, ChoicesDrawAsOnOneStage) {
  pipeline::Generation generation;
  const auto run = [&] {
    auto sink = std::make_shared<Collector>();
    generation = Ask(sink, Prompt(4, 20), 12, /*temperature=*/1.2f);
    generation.choices = 4;
    generation.sampling.frequency_penalty = 0.4f;
    generation.sampling.top_logprobs = 3;
    engine_->Submit(generation);
    EXPECT_TRUE(sink->Wait().ok());
    std::vector<std::vector<int32_t>> answers;
    for (int choice = 0; choice < 4; ++choice) {
      answers.push_back(sink->tokens(choice));
    }
    return answers;
  };
  Start();
  const auto alone = run();
  engine_.reset();
  Open(3);
  EXPECT_EQ(run(), alone);
  ExpectAllEnded();
}

TEST_F(PipelineTest, CancelledGenerationsLeaveNothing) {
  Open(2);
  std::vector<std::shared_ptr<Collector>> sinks;
  std::vector<uint64_t> ids;
  for (int i = 0; i < 16; ++i) {
    sinks.push_back(std::make_shared<Collector>());
    ids.push_back(engine_->Submit(Ask(sinks.back(), Prompt(i, 10), 80)));
  }
  sinks[0]->WaitForTokens(3);
  for (const uint64_t id : ids) {
    engine_->Cancel(id);
  }
  for (const auto& sink : sinks) {
    EXPECT_EQ(sink->Wait().code(), absl::StatusCode::kCancelled);
  }
  ExpectNoBlockUsed();
  ExpectAllEnded();
}

// What one rank cannot go on with ends the grid, and no generation waits for ever.
TEST_F(PipelineTest, ARankThatFailsEndsEveryGeneration) {
  Open(2, {.throwing_token = 33}, /*max_losses=*/0);
  auto good = std::make_shared<Collector>();
  auto bad = std::make_shared<Collector>();
  engine_->Submit(Ask(good, Prompt(1, 5), 100));
  good->WaitForTokens(2);
  engine_->Submit(Ask(bad, {33, 1}, 5));
  for (const auto& sink : {good, bad}) {
    const absl::Status status = sink->Wait();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    // Which rank is heard of first is open: the one that failed, or its neighbour.
    EXPECT_THAT(std::string(status.message()), HasSubstr("rank "));
  }
  auto late = std::make_shared<Collector>();
  engine_->Submit(Ask(late, Prompt(1, 5), 5));
  EXPECT_EQ(late->Wait().code(), absl::StatusCode::kUnavailable);
  engine_.reset();
  // The front may have told the other one to end before it noticed.
  EXPECT_EQ(grid_->Join()[1], absl::InternalError("the device is gone"));
}

// A rank that fails is started again, and the others join again with what they have loaded.
TEST_F(PipelineTest, AnswersGoOnAfterALossAsIfNothingHadHappened) {
  std::atomic<bool> fails = false;
  ToyLm::Options model;
  model.on_step = [&](const models::decoder::StepInput&) {
    if (fails.exchange(false)) {
      throw std::runtime_error("a broken device");
    }
  };
  Open(3, model);
  std::vector<std::shared_ptr<Collector>> sinks;
  for (int i = 0; i < 12; ++i) {
    sinks.push_back(std::make_shared<Collector>());
    engine_->Submit(Ask(sinks.back(), Prompt(i, 3 + 2 * i), 60));
  }
  for (int loss = 0; loss < 3; ++loss) {
    sinks[0]->WaitForTokens(10 * (static_cast<size_t>(loss) + 1));
    fails = true;
  }
  for (int i = 0; i < 12; ++i) {
    const absl::Status status = sinks[static_cast<size_t>(i)]->Wait();
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(sinks[static_cast<size_t>(i)]->tokens(), ToyLm::Greedy({}, Prompt(i, 3 + 2 * i), 60));
  }
  ExpectNoBlockUsed();
  ExpectAllEnded();
}

TEST(Gather, StrangersAndWrongRanksAreRefusedWhileTheRightOnesAreWaitedFor) {
  ToyGrid grid({.pipeline = 2});
  auto opened = std::async(std::launch::async, [&grid] { return grid.Open(); });
  RankOptions wrong = grid.rank(0);
  wrong.secret = "another";
  grid.Start(wrong);
  RankOptions other_model = grid.rank(0);
  other_model.terms.model = "tiger";
  grid.Start(other_model);
  RankOptions other_shape = grid.rank(0);
  other_shape.terms.shape.pipeline = 4;
  grid.Start(other_shape);
  grid.Start(grid.rank(2));
  const std::vector<absl::Status> refused = grid.Join();
  grid.StartAll();
  auto stage = opened.get();
  ASSERT_TRUE(stage.ok()) << stage.status();
  EXPECT_EQ((*stage)->info().stages, 2);
  EXPECT_EQ((*stage)->info().steps_in_flight, 3);
  stage->reset();
  EXPECT_THAT(grid.Join(), Each(absl::OkStatus()));
  EXPECT_THAT(std::string(refused[0].message()), HasSubstr("the secret is wrong"));
  EXPECT_THAT(std::string(refused[1].message()),
              HasSubstr("model is \"tiger\", the front has \"toy\""));
  EXPECT_THAT(std::string(refused[2].message()), HasSubstr("pipeline is 4, the front has 2"));
  EXPECT_THAT(std::string(refused[3].message()), HasSubstr("rank 2, expected 0 to 1"));
}

TEST(Gather, MissingRanksAreNamed) {
  ToyGrid grid({.pipeline = 3});
  RankOptions one = grid.rank(1);
  one.join_patience = absl::Milliseconds(600);
  grid.Start(one);
  GridOptions options = grid.front();
  options.join_patience = absl::Milliseconds(300);
  const absl::Status status = Gather(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(status.message()), HasSubstr("of 3 did not join"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("0, "));
}

TEST(Gather, ASecondRankWithTheSameNumberIsRefused) {
  ToyGrid grid({.pipeline = 2});
  grid.rank_patience = absl::Seconds(2);
  grid.Start(grid.rank(0));
  grid.Start(grid.rank(0));
  GridOptions options = grid.front();
  options.join_patience = absl::Milliseconds(500);
  EXPECT_THAT(std::string(Gather(options).status().message()),
              HasSubstr("rank 0 has joined already"));
}

}  // namespace
}  // namespace terminus::services::decoder::grid
