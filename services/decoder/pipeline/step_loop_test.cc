#include "services/decoder/pipeline/step_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "services/decoder/testing/thread_stage.h"

namespace terminus::services::decoder::pipeline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Records the loop's calls and reports, in order. Thread-safe.
class Trace {
 public:
  void Add(const std::string& what) {
    base::MutexLock lock(mutex_);
    trace_.push_back(what);
    changed_.NotifyAll();
  }
  std::vector<std::string> WaitFor(const std::string& what) {
    base::MutexLock lock(mutex_);
    while (std::find(trace_.begin(), trace_.end(), what) == trace_.end()) changed_.Wait(mutex_);
    return trace_;
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  std::vector<std::string> trace_;
};

// Samples token 7 everywhere.
class FakeRunner : public models::decoder::StepRunner {
 public:
  FakeRunner(int steps_in_flight, Trace& trace) : trace_(trace) {
    info_ = {.vocab_size = 64,
             .hidden_size = 1,
             .max_context = 64,
             .kv_blocks = 8,
             .slots = 4,
             .max_tokens = 64,
             .steps_in_flight = steps_in_flight};
  }

  const models::decoder::RunnerInfo& info() const override { return info_; }
  absl::Status OpenSlot(int32_t, const models::decoder::SlotState&) override {
    return absl::OkStatus();
  }
  absl::Status Forward(const models::decoder::ForwardInput& input) override {
    trace_.Add(absl::StrCat("forward ", ++forwards_));
    output_ = {};
    return input.token_ids[0] == 13 ? absl::InternalError("unlucky") : absl::OkStatus();
  }
  absl::Status Sample(absl::Span<const models::decoder::SampleRow> rows) override {
    for (const models::decoder::SampleRow& row : rows) {
      const bool masked = row.mask != nullptr;
      trace_.Add(absl::StrCat("sample ", forwards_, " row ", row.row, masked ? " masked" : ""));
      models::sampling::Sampled sampled;
      sampled.chosen.token = masked ? static_cast<int32_t>(row.mask[1]) : 7;
      output_.rows.push_back({row.row, sampled});
    }
    return absl::OkStatus();
  }
  absl::Status EndStep() override {
    trace_.Add(absl::StrCat("end ", forwards_));
    ended_.push_back(output_);
    return absl::OkStatus();
  }
  absl::StatusOr<models::decoder::StepOutput> Collect() override {
    trace_.Add(absl::StrCat("collect ", ++collects_));
    models::decoder::StepOutput output = ended_.front();
    ended_.pop_front();
    return output;
  }

 private:
  models::decoder::RunnerInfo info_;
  Trace& trace_;
  int forwards_ = 0;
  int collects_ = 0;
  models::decoder::StepOutput output_;
  std::deque<models::decoder::StepOutput> ended_;
};

class StepLoopTest : public ::testing::Test {
 protected:
  void Start(int steps_in_flight) {
    stage_ = std::make_unique<decoder::testing::ThreadStage>(
        std::make_unique<FakeRunner>(steps_in_flight, trace_), models::sampling::LogitRules{},
        [this](StepResult result) {
          results_[result.step] = result.tokens;
          host_times_[result.step] = result.host_time;
          trace_.Add(absl::StrCat("result ", result.step));
        });
  }

  // A step that closes and opens slots 0 and 1. `constrained` applies to slot 1.
  static scheduler::StepPlan Step(uint64_t step, bool constrained = false, int32_t token = 1) {
    scheduler::StepPlan plan{.step = step, .closed = {0, 1}};
    for (int32_t slot = 0; slot < 2; ++slot) {
      plan.opened.push_back({.slot = slot,
                             .constrained = constrained && slot == 1,
                             .prompt_length = 1,
                             .max_length = 9});
      plan.entries.push_back(
          {.slot = slot, .sample = true, .tokens = {token}, .new_blocks = {slot}});
    }
    return plan;
  }

  Trace trace_;
  std::map<uint64_t, absl::StatusOr<StepTokens>> results_;
  std::map<uint64_t, absl::Duration> host_times_;
  std::unique_ptr<Stage> stage_;
};

TEST_F(StepLoopTest, OneStepAtATimeIsCollectedAtOnce) {
  Start(1);
  stage_->Submit(Step(1));
  EXPECT_THAT(trace_.WaitFor("result 1"),
              ElementsAre("forward 1", "sample 1 row 0", "sample 1 row 1", "end 1", "collect 1",
                          "result 1"));
  EXPECT_GT(host_times_[1], absl::ZeroDuration());
}

TEST_F(StepLoopTest, TheNextStepIsLaunchedBeforeTheOldestIsCollected) {
  Start(2);
  stage_->Submit(Step(1));
  stage_->Submit(Step(2));
  EXPECT_THAT(trace_.WaitFor("result 1"),
              ElementsAre("forward 1", "sample 1 row 0", "sample 1 row 1", "end 1", "forward 2",
                          "sample 2 row 0", "sample 2 row 1", "end 2", "collect 1", "result 1"));
  // Nothing is collected before a step could follow; a flush says that none does.
  stage_->Submit(Step(3));
  trace_.WaitFor("result 2");
  stage_->Flush();
  EXPECT_EQ(trace_.WaitFor("result 3").back(), "result 3");
}

TEST_F(StepLoopTest, OnlyConstrainedRowsWaitForMasks) {
  Start(2);
  stage_->Submit(Step(1));
  stage_->Submit(Step(2, /*constrained=*/true));
  EXPECT_THAT(trace_.WaitFor("result 1"),
              ElementsAre("forward 1", "sample 1 row 0", "sample 1 row 1", "end 1", "forward 2",
                          "sample 2 row 0", "collect 1", "result 1"));
  stage_->SendMasks(2, {{0, 33}});
  stage_->Flush();
  trace_.WaitFor("result 2");
  ASSERT_TRUE(results_.at(2).ok());
  EXPECT_EQ(results_.at(2)->at(0)->chosen.token, 7) << "in the order of the entries";
  EXPECT_EQ(results_.at(2)->at(1)->chosen.token, 33);
  // An empty mask allows all.
  stage_->Submit(Step(3, /*constrained=*/true));
  stage_->SendMasks(3, {{}});
  stage_->Flush();
  trace_.WaitFor("result 3");
  EXPECT_EQ(results_.at(3)->at(1)->chosen.token, 7);
}

TEST_F(StepLoopTest, MasksThatDoNotFitFailTheStep) {
  Start(1);
  stage_->Submit(Step(1, /*constrained=*/true));
  stage_->SendMasks(1, {{1, 2, 3}});
  trace_.WaitFor("result 1");
  EXPECT_THAT(std::string(results_.at(1).status().message()),
              HasSubstr("a mask of 3 words, expected 2"));
  stage_->Submit(Step(2, /*constrained=*/true));
  stage_->SendMasks(2, {});
  trace_.WaitFor("result 2");
  EXPECT_THAT(std::string(results_.at(2).status().message()), HasSubstr("0 masks are too few"));
}

TEST_F(StepLoopTest, FailedStepsAreReportedInOrder) {
  Start(2);
  scheduler::StepPlan refused = Step(2);
  refused.entries[0].slot = 3;
  stage_->Submit(Step(1));
  stage_->Submit(refused);
  stage_->Flush();
  trace_.WaitFor("result 1");
  trace_.WaitFor("result 2");
  EXPECT_TRUE(results_.at(1).ok());
  EXPECT_THAT(std::string(results_.at(2).status().message()), HasSubstr("slot 3 is not open"));
  stage_->Submit(Step(3, /*constrained=*/false, /*token=*/13));
  stage_->Flush();
  trace_.WaitFor("result 3");
  EXPECT_EQ(results_.at(3).status().message(), "unlucky");
}

TEST_F(StepLoopTest, ClosesWhileAStepWaitsForItsMasks) {
  Start(1);
  stage_->Submit(Step(1, /*constrained=*/true));
  trace_.WaitFor("sample 1 row 0");
  stage_.reset();
}

}  // namespace
}  // namespace terminus::services::decoder::pipeline
