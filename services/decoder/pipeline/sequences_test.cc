#include "services/decoder/pipeline/sequences.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <numeric>

#include "services/decoder/scheduler/slot_table.h"

namespace terminus::services::decoder::pipeline {
namespace {

using models::decoder::kFromSampler;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int32_t kEos = 99;

// Records what a generation gives.
class Sink : public TokenSink {
 public:
  bool Full(int choice) const override { return full && choice == full_choice; }
  void OnToken(int choice, models::sampling::Sampled token) override {
    tokens[choice].push_back(token.chosen.token);
  }
  void OnEnd(int choice, EndReason reason) override { ends[choice] = reason; }
  void OnDone(const absl::Status& status, const GenerationReport& /*report*/) override {
    EXPECT_FALSE(done) << "done twice";
    done = true;
    this->status = status;
  }

  bool full = false;
  int full_choice = 0;
  std::map<int, std::vector<int32_t>> tokens;
  std::map<int, EndReason> ends;
  bool done = false;
  absl::Status status;
};

std::vector<int32_t> Count(int tokens) {
  std::vector<int32_t> prompt(static_cast<size_t>(tokens));
  std::iota(prompt.begin(), prompt.end(), 0);
  return prompt;
}

class SequencesTest : public ::testing::Test {
 protected:
  void Start(int kv_blocks = 16, scheduler::StepLimits limits = {}, int slots = 8) {
    sequences_.emplace(Sequences::Options{.limits = limits,
                                          .max_context = 64,
                                          .kv_blocks = kv_blocks,
                                          .slots = slots,
                                          .eos_token_ids = {kEos}},
                       metrics_);
    table_.emplace(models::decoder::RunnerInfo{.vocab_size = 100,
                                               .hidden_size = 1,
                                               .max_context = 64,
                                               .kv_blocks = kv_blocks,
                                               .slots = slots,
                                               .max_tokens = 256},
                   models::sampling::LogitRules{});
  }

  static Generation Ask(const std::shared_ptr<Sink>& sink, std::vector<int32_t> prompt,
                        int max_tokens) {
    Generation generation;
    generation.prompt = std::move(prompt);
    generation.sampling.temperature = 0;
    generation.max_tokens = max_tokens;
    generation.sink = sink;
    return generation;
  }
  std::shared_ptr<Sink> Add(std::vector<int32_t> prompt, int max_tokens) {
    auto sink = std::make_shared<Sink>();
    sequences_->Add(++last_id_, Ask(sink, std::move(prompt), max_tokens));
    return sink;
  }

  // Plans a step that a stage accepts.
  scheduler::StepPlan Plan() {
    auto plan = sequences_->Plan(now_);
    EXPECT_TRUE(plan.has_value());
    if (!plan.has_value()) return {};
    const absl::Status status = table_->Apply(*plan);
    EXPECT_TRUE(status.ok()) << status;
    return *std::move(plan);
  }
  bool NothingToPlan() { return !sequences_->Plan(now_).has_value(); }

  // Ends a step; its entries that sample get these tokens.
  void Apply(const scheduler::StepPlan& plan, const std::vector<int32_t>& tokens) {
    StepTokens results;
    for (const int32_t token : tokens) {
      models::sampling::Sampled sampled;
      sampled.chosen.token = token;
      results.push_back(sampled);
    }
    sequences_->Apply({.step = plan.step, .tokens = std::move(results)}, now_);
  }

  double Used() { return metrics_.used_blocks.Value(); }

  absl::Time now_ = absl::UnixEpoch();
  metrics::Registry registry_{"test"};
  EngineMetrics metrics_{registry_};
  absl::optional<Sequences> sequences_;
  absl::optional<scheduler::SlotTable> table_;
  uint64_t last_id_ = 0;
};

TEST_F(SequencesTest, RunsAheadWithTokensFromTheSampler) {
  Start();
  const auto sink = Add({1, 2, 3}, 5);
  const auto first = Plan();
  ASSERT_EQ(first.entries.size(), 1u);
  EXPECT_THAT(first.entries[0].tokens, ElementsAre(1, 2, 3));
  EXPECT_TRUE(first.entries[0].sample);
  const auto second = Plan();
  EXPECT_THAT(second.entries[0].tokens, ElementsAre(kFromSampler));
  EXPECT_THAT(second.opened, IsEmpty());
  EXPECT_THAT(second.entries[0].new_blocks, IsEmpty()) << "nothing is told twice";
  Apply(first, {10});
  EXPECT_THAT(sink->tokens[0], ElementsAre(10));
  const auto third = Plan();
  EXPECT_THAT(third.entries[0].tokens, ElementsAre(kFromSampler));
  Apply(second, {11});
  Apply(third, {12});
  // Nothing is in flight: the token is known.
  EXPECT_THAT(Plan().entries[0].tokens, ElementsAre(12));
}

TEST_F(SequencesTest, AStageThatLostAllComputesTheTokensSoFarAgain) {
  Start();
  const auto sink = Add({1, 2, 3}, 6);
  Apply(Plan(), {10});
  const auto second = Plan();
  const auto third = Plan();
  ASSERT_EQ(second.entries.size() + third.entries.size(), 2u);
  sequences_->Lose(now_);
  EXPECT_EQ(sequences_->steps_in_flight(), 0);
  table_.emplace(models::decoder::RunnerInfo{.vocab_size = 100,
                                             .hidden_size = 1,
                                             .max_context = 64,
                                             .kv_blocks = 16,
                                             .slots = 8,
                                             .max_tokens = 256},
                 models::sampling::LogitRules{});
  // The client has 10; 11 and 12 were never heard of.
  const auto again = Plan();
  ASSERT_EQ(again.opened.size(), 1u);
  EXPECT_EQ(again.opened[0].computed, 0) << "no block has its keys and values";
  EXPECT_THAT(again.entries[0].tokens, ElementsAre(1, 2, 3, 10));
  Apply(again, {11});
  EXPECT_THAT(sink->tokens[0], ElementsAre(10, 11));
}

TEST_F(SequencesTest, TheLastTokenByLengthIsNotComputed) {
  Start();
  const auto sink = Add({1, 2, 3}, 2);
  const auto first = Plan();
  const auto second = Plan();
  EXPECT_TRUE(NothingToPlan());
  Apply(first, {10});
  EXPECT_TRUE(NothingToPlan());
  Apply(second, {11});
  EXPECT_TRUE(sink->done);
  EXPECT_EQ(sink->ends[0], EndReason::kLength);
  EXPECT_EQ(Used(), 0);
}

TEST_F(SequencesTest, WhatRunsTooLongIsDroppedAndItsBlocksReturnAfterIt) {
  Start();
  const auto sink = Add({1, 2, 3}, 9);
  const auto first = Plan();
  const auto second = Plan();
  Apply(first, {kEos});
  EXPECT_TRUE(sink->done);
  EXPECT_EQ(sink->ends[0], EndReason::kStop);
  EXPECT_TRUE(NothingToPlan());
  EXPECT_EQ(Used(), 1) << "the second step writes to it";
  Apply(second, {12});
  EXPECT_THAT(sink->tokens[0], ElementsAre(kEos));
  EXPECT_EQ(metrics_.generated_tokens.Value(), 1);
  EXPECT_EQ(Used(), 0);
}

TEST_F(SequencesTest, EosIsATokenLikeAnyOtherIfIgnored) {
  Start();
  const auto sink = std::make_shared<Sink>();
  Generation generation = Ask(sink, {1}, 2);
  generation.ignore_eos = true;
  sequences_->Add(1, std::move(generation));
  Apply(Plan(), {kEos});
  Apply(Plan(), {kEos});
  EXPECT_THAT(sink->tokens[0], ElementsAre(kEos, kEos));
  EXPECT_EQ(sink->ends[0], EndReason::kLength);
}

TEST_F(SequencesTest, StopAndCancelTakeEffectBetweenSteps) {
  Start();
  const auto stopped = Add({1, 2, 3}, 9);
  const auto cancelled = Add({4, 5}, 9);
  const auto first = Plan();
  const auto second = Plan();
  sequences_->Stop(1, 0, now_);
  sequences_->Cancel(2, now_, now_ + absl::Seconds(1));
  EXPECT_TRUE(stopped->done);
  EXPECT_TRUE(absl::IsCancelled(cancelled->status));
  now_ += absl::Seconds(2);
  Apply(first, {10, 20});
  EXPECT_EQ(Used(), 2);
  now_ += absl::Seconds(1);
  Apply(second, {11, 21});
  EXPECT_EQ(Used(), 0);
  EXPECT_THAT(stopped->tokens, IsEmpty());
  EXPECT_TRUE(sequences_->empty());
  const auto collected = metrics_.cancel_to_release_seconds.Collect().histogram;
  EXPECT_EQ(collected.sample_count, 1u);
  EXPECT_EQ(collected.sample_sum, 3) << "from the cancellation to the end of the last step";
}

TEST_F(SequencesTest, AFaultyRowFailsAloneAndAFailedStepFailsAllInIt) {
  Start();
  const auto faulty = Add({1}, 9);
  const auto healthy = Add({2}, 9);
  const auto first = Plan();
  const auto second = Plan();
  models::sampling::Sampled token;
  token.chosen.token = 7;
  sequences_->Apply({.step = first.step, .tokens = StepTokens{absl::InternalError("nan"), token}},
                    now_);
  EXPECT_EQ(faulty->status.message(), "nan");
  EXPECT_FALSE(healthy->done);
  const auto late = Add({3}, 9);
  const auto third = Plan();
  sequences_->Apply({.step = second.step, .tokens = absl::InternalError("gone")}, now_);
  EXPECT_EQ(healthy->status.message(), "gone");
  EXPECT_FALSE(late->done) << "it was not in that step";
  ASSERT_EQ(third.entries.size(), 2u);
  Apply(third, {8, 9});
  EXPECT_THAT(late->tokens[0], ElementsAre(9));
  EXPECT_THAT(healthy->tokens[0], ElementsAre(7));
}

TEST_F(SequencesTest, APreemptedSequenceKeepsItsBlocksAndGetsItsTokensUntilItsStepsEnd) {
  Start(6);
  Add(Count(28), 20);  // Two blocks, three from the 33rd token on.
  Add(std::vector<int32_t>(14, 1), 20);
  const auto third = Add(std::vector<int32_t>(14, 2), 20);
  auto oldest = Plan();
  const int32_t third_slot = oldest.entries.at(2).slot;
  for (int i = 0; i < 4; ++i) {
    auto next = Plan();
    Apply(oldest, {50, 60, 70});
    oldest = std::move(next);
  }
  EXPECT_EQ(Used(), 6);
  // The first needs a block. The third gives its own, once its step has ended.
  const auto without = Plan();
  EXPECT_EQ(metrics_.preemptions.Value(), 1);
  EXPECT_EQ(without.entries.size(), 1u) << "the second needs none";
  EXPECT_THAT(without.closed, IsEmpty());
  EXPECT_EQ(Used(), 6);
  Apply(oldest, {50, 60, 71});
  EXPECT_THAT(third->tokens[0], ElementsAre(70, 70, 70, 70, 71));
  const auto with = Plan();
  EXPECT_THAT(with.closed, ElementsAre(third_slot));
  ASSERT_EQ(with.entries.size(), 2u);
  EXPECT_EQ(with.entries[0].new_blocks.size(), 1u);
  EXPECT_EQ(metrics_.preemptions.Value(), 1) << "no further victims";
  sequences_->Cancel(1, now_, now_);
  Apply(without, {62});
  Apply(with, {52, 63});
  // It goes on from all that it was given; its full block was kept.
  const auto again = Plan();
  ASSERT_EQ(again.opened.size(), 1u);
  EXPECT_EQ(again.opened[0].computed, 16);
  EXPECT_THAT(again.entries.back().tokens, ElementsAre(70, 70, 71));
}

TEST_F(SequencesTest, ChoicesWaitForThePromptAndShareIt) {
  Start();
  const auto sink = std::make_shared<Sink>();
  Generation generation = Ask(sink, Count(33), 4);
  generation.choices = 3;
  sequences_->Add(1, std::move(generation));
  const auto first = Plan();
  EXPECT_EQ(first.entries.size(), 1u);
  const auto second = Plan();
  EXPECT_EQ(second.entries.size(), 1u) << "the prompt is not known to be computed";
  Apply(first, {50});
  const auto third = Plan();
  ASSERT_EQ(third.opened.size(), 2u);
  EXPECT_EQ(third.opened[0].computed, 32);
  EXPECT_EQ(third.opened[0].blocks, third.opened[1].blocks);
  EXPECT_EQ(third.opened[1].sampling.choice, 2u);
  EXPECT_EQ(Used(), 2 + 3);
}

TEST_F(SequencesTest, APausedOneRestsAndKeepsItsSlot) {
  Start(16, {.max_sequences = 1}, 2);
  const auto slow = Add({1}, 9);
  Apply(Plan(), {10});
  slow->full = true;
  const auto other = Add({2}, 9);
  const auto plan = Plan();
  ASSERT_EQ(plan.entries.size(), 1u);
  EXPECT_EQ(plan.opened.at(0).slot, 1);
  // With both slots taken, the paused one makes room for a third.
  other->full = true;
  Apply(plan, {20});
  Add({3}, 9);
  const auto next = Plan();
  EXPECT_EQ(metrics_.preemptions.Value(), 1);
  EXPECT_EQ(next.opened.at(0).slot, 1) << "of the two, the one behind";
  EXPECT_THAT(next.closed, ElementsAre(1));
}

TEST_F(SequencesTest, TokensTravelOnlyWhereTheSamplingLooksBack) {
  Start();
  const auto sink = std::make_shared<Sink>();
  Generation generation = Ask(sink, {1, 2, 3}, 9);
  generation.sampling.presence_penalty = 1;
  sequences_->Add(1, std::move(generation));
  last_id_ = 1;
  Add({4, 5}, 9);
  const auto plan = Plan();
  EXPECT_THAT(plan.opened.at(0).tokens, ElementsAre(1, 2, 3));
  EXPECT_THAT(plan.opened.at(1).tokens, IsEmpty());
}

TEST_F(SequencesTest, PriorityComesBeforeArrival) {
  Start(16, {.max_sequences = 1});
  const auto first = std::make_shared<Sink>();
  sequences_->Add(1, Ask(first, {1}, 9));
  const auto urgent = std::make_shared<Sink>();
  Generation generation = Ask(urgent, {2}, 9);
  generation.priority = -1;
  sequences_->Add(2, std::move(generation));
  EXPECT_THAT(Plan().entries.at(0).tokens, ElementsAre(2));
}

// Allows every token: only what is handed out with it matters.
class AnyToken : public TokenConstraint {
 public:
  absl::Status Advance(absl::Span<const int32_t> /*tokens*/,
                       absl::Span<uint32_t> /*mask*/) override {
    return absl::OkStatus();
  }
};

TEST_F(SequencesTest, MasksAreMadeOnceTheTokenBeforeIsKnown) {
  Start();
  const auto sink = std::make_shared<Sink>();
  Generation generation = Ask(sink, {1}, 9);
  generation.constraint = [] { return std::make_unique<AnyToken>(); };
  sequences_->Add(1, std::move(generation));
  last_id_ = 1;
  Add({2}, 9);
  const auto first = Plan();
  EXPECT_TRUE(first.opened[0].constrained);
  EXPECT_FALSE(first.opened[1].constrained);
  const auto second = Plan();
  const auto work = sequences_->TakeMaskWork();
  ASSERT_TRUE(work.has_value());
  EXPECT_EQ(work->step, first.step);
  ASSERT_EQ(work->rows.size(), 1u) << "only the constrained row";
  EXPECT_EQ(work->rows[0].id, 1u);
  EXPECT_THAT(work->rows[0].tokens, IsEmpty()) << "the prompt is no part of the answer";
  EXPECT_FALSE(sequences_->TakeMaskWork().has_value()) << "once, and not before the next result";
  Apply(first, {7, 20});
  const auto next = sequences_->TakeMaskWork();
  ASSERT_TRUE(next.has_value());
  EXPECT_EQ(next->step, second.step);
  EXPECT_EQ(next->rows[0].constraint, work->rows[0].constraint);
  EXPECT_THAT(next->rows[0].tokens, ElementsAre(7));
  Apply(second, {8, 21});
  EXPECT_THAT(sink->tokens[0], ElementsAre(7, 8));
}

TEST_F(SequencesTest, AnEndedSequenceNeedsNoMask) {
  Start();
  const auto sink = std::make_shared<Sink>();
  Generation generation = Ask(sink, {1}, 9);
  generation.constraint = [] { return std::make_unique<AnyToken>(); };
  sequences_->Add(1, std::move(generation));
  const auto first = Plan();
  sequences_->Cancel(1, now_, now_);
  const auto work = sequences_->TakeMaskWork();
  ASSERT_TRUE(work.has_value()) << "the stage waits for it all the same";
  ASSERT_EQ(work->rows.size(), 1u);
  EXPECT_EQ(work->rows[0].constraint, nullptr);
  Apply(first, {8});
}

std::shared_ptr<const models::decoder::SoftTokens> Image(uint64_t hash, int rows) {
  return std::make_shared<models::decoder::SoftTokens>(
      models::decoder::SoftTokens{.content_hash = hash,
                                  .rows = rows,
                                  .values = std::vector<float>(static_cast<size_t>(rows), 1.0f)});
}

class SoftSequencesTest : public SequencesTest {
 protected:
  // A prompt of 36 tokens with an image at 4 to 24.
  std::shared_ptr<Sink> AddImage(uint64_t hash) {
    auto sink = std::make_shared<Sink>();
    Generation generation = Ask(sink, Count(36), 2);
    generation.soft = {{.first_token = 4, .first_row = 0, .rows = 20, .tokens = Image(hash, 20)}};
    sequences_->Add(++last_id_, std::move(generation));
    return sink;
  }
};

TEST_F(SoftSequencesTest, RowsTravelOnceAndAreDroppedAfterTheirLastUser) {
  Start(16, {.token_budget = 16});
  AddImage(5);
  const auto first = Plan();
  ASSERT_EQ(first.soft_tokens.size(), 1u);
  EXPECT_THAT(first.entries[0].soft, ElementsAre(scheduler::PlanSoftSpan{4, 0, 12, 5}));
  const auto second = Plan();
  EXPECT_THAT(second.soft_tokens, IsEmpty());
  EXPECT_THAT(second.entries[0].soft, ElementsAre(scheduler::PlanSoftSpan{0, 12, 8, 5}));
  sequences_->Cancel(1, now_, now_);
  // The same image again, before the stage was told to drop it.
  AddImage(5);
  const auto third = Plan();
  EXPECT_THAT(third.dropped_soft_tokens, IsEmpty());
  EXPECT_EQ(third.soft_tokens.size(), 1u);
  sequences_->Cancel(2, now_, now_);
  AddImage(6);
  const auto fourth = Plan();
  EXPECT_THAT(fourth.dropped_soft_tokens, ElementsAre(5));
  ASSERT_EQ(fourth.soft_tokens.size(), 1u);
}

TEST_F(SoftSequencesTest, RowsTravelAgainAfterAFailedStep) {
  Start(16, {.token_budget = 16});
  AddImage(5);
  const auto first = Plan();
  const auto other = AddImage(5);
  sequences_->Apply({.step = first.step, .tokens = absl::InternalError("refused")}, now_);
  EXPECT_FALSE(other->done);
  EXPECT_EQ(Plan().soft_tokens.size(), 1u);
}

TEST_F(SoftSequencesTest, TheSameImageSharesAPrefixAndAnotherDoesNot) {
  Start();
  AddImage(5);
  Apply(Plan(), {50});
  AddImage(5);
  const auto same = Plan();
  EXPECT_EQ(same.opened.at(0).computed, 32);
  AddImage(6);
  const auto other = Plan();
  EXPECT_EQ(other.opened.at(0).computed, 0);
}

}  // namespace
}  // namespace terminus::services::decoder::pipeline
