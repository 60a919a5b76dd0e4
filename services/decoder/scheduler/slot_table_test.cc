#include "services/decoder/scheduler/slot_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/decoder/scheduler/plan_fixture.h"

namespace terminus::services::decoder::scheduler {
namespace {

using models::decoder::kFromSampler;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SlotTableTest : public ::testing::Test {
 protected:
  void Apply(const StepPlan& plan) {
    const absl::Status status = table_.Apply(plan);
    ASSERT_TRUE(status.ok()) << status;
  }
  std::string ErrorOf(const StepPlan& plan) { return std::string(table_.Apply(plan).message()); }
  // Applies the example after a change to it.
  template <class Change>
  std::string ErrorWith(Change change) {
    StepPlan plan = Example();
    change(plan);
    return ErrorOf(plan);
  }

  SlotTable table_{SmallInfo(), {}};
};

TEST_F(SlotTableTest, MakesTheArraysOfAStep) {
  Apply(Example());
  const models::decoder::ForwardInput input = table_.input();
  EXPECT_THAT(input.token_ids, ElementsAre(1, 2, 99, 98, 0, 5));
  EXPECT_THAT(input.positions, ElementsAre(16, 17, 18, 0, 1, 2));
  EXPECT_THAT(input.query_indptr, ElementsAre(0, 3, 6));
  EXPECT_THAT(input.slots, ElementsAre(3, 2));
  // Only the blocks that the tokens so far need.
  EXPECT_THAT(input.kv.indptr, ElementsAre(0, 2, 3));
  EXPECT_THAT(input.kv.indices, ElementsAre(9, 0, 3));
  EXPECT_THAT(input.kv.last_page_len, ElementsAre(3, 3));
  EXPECT_THAT(input.logits_sequences, ElementsAre(1));
  ASSERT_EQ(input.soft.size(), 1u);
  EXPECT_EQ(input.soft[0].first_token, 1);
  EXPECT_EQ(input.soft[0].tokens->values.size(), 4u);
  ASSERT_EQ(table_.rows().size(), 1u);
  EXPECT_EQ(table_.rows()[0].length, 3);
  EXPECT_TRUE(table_.rows()[0].constrained);
}

TEST_F(SlotTableTest, GoesOnFromWhatItWasTold) {
  Apply(Example());
  Apply(Decode());
  EXPECT_THAT(table_.input().token_ids, ElementsAre(kFromSampler));
  EXPECT_THAT(table_.input().positions, ElementsAre(3));
  EXPECT_THAT(table_.input().kv.indices, ElementsAre(3));
  EXPECT_THAT(table_.input().soft, IsEmpty());
  // A slot that is closed may be opened in the same plan.
  StepPlan plan{.closed = {2, 3}};
  plan.opened = {{.slot = 2, .prompt_length = 1, .max_length = 5}};
  plan.entries = {{.slot = 2, .tokens = {4}, .new_blocks = {1}}};
  Apply(plan);
  EXPECT_THAT(table_.input().positions, ElementsAre(0));
  EXPECT_THAT(table_.rows(), IsEmpty());
}

TEST_F(SlotTableTest, SaysWhatIsWrongWithASlot) {
  const auto opened = [&](auto change) {
    return ErrorWith([&](StepPlan& plan) { change(plan.opened[1]); });
  };
  EXPECT_THAT(opened([](OpenedSlot& o) { o.slot = 4; }), HasSubstr("slot 4, expected 0 to 3"));
  EXPECT_THAT(opened([](OpenedSlot& o) { o.slot = -1; }), HasSubstr("slot -1"));
  EXPECT_THAT(opened([](OpenedSlot& o) { o.slot = 3; }), HasSubstr("slot 3 is open already"));
  EXPECT_THAT(opened([](OpenedSlot& o) { o.max_length = 65; }), HasSubstr("the context has 64"));
  EXPECT_THAT(opened([](OpenedSlot& o) { o.prompt_length = 0; }), HasSubstr("a prompt of 0"));
  EXPECT_THAT(opened([](OpenedSlot& o) { o.computed = -1; }), HasSubstr("-1 computed"));
  EXPECT_THAT(opened([](OpenedSlot& o) { o.computed = 50; }), HasSubstr("50 computed tokens"));
  EXPECT_THAT(opened([](OpenedSlot& o) { o.computed = 1; }), HasSubstr("0 blocks for 1 computed"));
  EXPECT_THAT(opened([](OpenedSlot& o) { o.blocks = {10}; }), HasSubstr("block 10"));
  EXPECT_THAT(opened([](OpenedSlot& o) { o.blocks.assign(5, 1); }), HasSubstr("5 blocks"));
  EXPECT_THAT(opened([](OpenedSlot& o) {
                o.tokens = {100, 1, 2};
              }),
              HasSubstr("earlier token 100"));
  EXPECT_THAT(opened([](OpenedSlot& o) { o.tokens.clear(); }),
              HasSubstr("0 earlier tokens, expected all"));
  EXPECT_THAT(ErrorWith([](StepPlan& p) { p.opened[0].tokens = {1}; }),
              HasSubstr("1 earlier tokens, expected none"));
  EXPECT_THAT(ErrorWith([](StepPlan& p) { p.closed = {7}; }), HasSubstr("slot 7"));
}

TEST_F(SlotTableTest, SaysWhatIsWrongWithTheSampling) {
  const auto with = [&](auto change) {
    return ErrorWith([&](StepPlan& plan) { change(plan.opened[1].sampling); });
  };
  using models::sampling::Parameters;
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(with([](Parameters& p) { p.temperature = -1; }), HasSubstr("temperature -1"));
  EXPECT_THAT(with([](Parameters& p) { p.top_p = kNan; }), HasSubstr("top_p"));
  EXPECT_THAT(with([](Parameters& p) { p.min_p = 1.5f; }), HasSubstr("min_p 1.5"));
  EXPECT_THAT(with([](Parameters& p) { p.repetition_penalty = 0; }),
              HasSubstr("repetition_penalty 0"));
  EXPECT_THAT(with([](Parameters& p) { p.presence_penalty = kNan; }),
              HasSubstr("presence_penalty"));
  EXPECT_THAT(with([](Parameters& p) { p.min_tokens = -1; }), HasSubstr("min_tokens -1"));
  EXPECT_THAT(with([](Parameters& p) { p.top_logprobs = 21; }), HasSubstr("top_logprobs 21"));
  EXPECT_THAT(with([](Parameters& p) { p.logit_bias[0].token = 100; }), HasSubstr("token 100"));
  EXPECT_THAT(with([](Parameters& p) { p.logit_bias.resize(301); }), HasSubstr("301 logit biases"));
}

TEST_F(SlotTableTest, SaysWhatIsWrongWithAnEntry) {
  const auto with = [&](auto change) {
    return ErrorWith([&](StepPlan& plan) { change(plan.entries[1]); });
  };
  EXPECT_THAT(with([](PlanEntry& e) { e.slot = 4; }), HasSubstr("slot 4"));
  EXPECT_THAT(with([](PlanEntry& e) { e.slot = 1; }), HasSubstr("slot 1 is not open"));
  EXPECT_THAT(with([](PlanEntry& e) { e.slot = 3; }), HasSubstr("slot 3 has two entries"));
  EXPECT_THAT(with([](PlanEntry& e) { e.tokens.clear(); }), HasSubstr("without tokens"));
  EXPECT_THAT(with([](PlanEntry& e) { e.tokens[1] = 100; }), HasSubstr("token 100"));
  EXPECT_THAT(with([](PlanEntry& e) { e.tokens[1] = -1; }), HasSubstr("token -1"));
  EXPECT_THAT(with([](PlanEntry& e) { e.tokens = {kFromSampler}; }),
              HasSubstr("from the sampler, which has none"));
  EXPECT_THAT(with([](PlanEntry& e) { e.new_blocks[0] = 10; }), HasSubstr("block 10"));
  EXPECT_THAT(with([](PlanEntry& e) { e.new_blocks.clear(); }), HasSubstr("0 blocks for 3 tokens"));
  EXPECT_THAT(with([](PlanEntry& e) { e.new_blocks.assign(5, 1); }), HasSubstr("5 blocks"));
  EXPECT_THAT(with([](PlanEntry& e) { e.tokens.assign(50, 1); }), HasSubstr("ends at 50"));
  EXPECT_THAT(with([](PlanEntry& e) {
                e.tokens = {98, 0};
              }),
              HasSubstr("samples behind 2 tokens, of which 3 were told"));
  EXPECT_THAT(with([](PlanEntry& e) {
                e.sample = false;
                e.tokens.assign(30, 1);
              }),
              HasSubstr("33 tokens, at most 32"));
}

TEST_F(SlotTableTest, SaysWhatIsWrongWithSoftTokens) {
  const auto with = [&](auto change) {
    return ErrorWith([&](StepPlan& plan) { change(plan.entries[0].soft[0]); });
  };
  EXPECT_THAT(with([](PlanSoftSpan& s) { s.content_hash = 5; }), HasSubstr("5 are not known"));
  EXPECT_THAT(with([](PlanSoftSpan& s) { s.first_token = 2; }), HasSubstr("soft tokens at 2"));
  EXPECT_THAT(with([](PlanSoftSpan& s) { s.first_token = -1; }), HasSubstr("soft tokens at -1"));
  EXPECT_THAT(with([](PlanSoftSpan& s) { s.first_row = 1; }), HasSubstr("2 rows from 1 of 2"));
  EXPECT_THAT(with([](PlanSoftSpan& s) { s.rows = 0; }), HasSubstr("0 rows"));
  EXPECT_THAT(
      ErrorWith([](StepPlan& plan) { plan.entries[0].soft.push_back(plan.entries[0].soft[0]); }),
      HasSubstr("soft tokens at 1"));
  EXPECT_THAT(ErrorWith([](StepPlan& plan) {
                auto cut = std::make_shared<models::decoder::SoftTokens>(*plan.soft_tokens[0]);
                cut->values.pop_back();
                plan.soft_tokens[0] = cut;
              }),
              HasSubstr("3 values, expected 2 rows of 2"));
  // Dropped ones are gone.
  Apply(Example());
  StepPlan next{.dropped_soft_tokens = {Example().soft_tokens[0]->content_hash}};
  next.entries = {{.slot = 3, .tokens = {1}}};
  next.entries[0].soft = {{.rows = 1, .content_hash = Example().soft_tokens[0]->content_hash}};
  EXPECT_THAT(ErrorOf(next), HasSubstr("are not known"));
  next.dropped_soft_tokens.clear();
  Apply(next);
}

TEST_F(SlotTableTest, ARefusedPlanChangesNothing) {
  Apply(Example());
  const auto log = [](int32_t) { return std::vector<int32_t>{98, 0, 5, 6}; };
  const std::string before = EncodePlan(table_.Snapshot(1, log));
  StepPlan plan = Example();
  plan.closed = {2, 3};
  plan.entries[1].slot = 1;
  EXPECT_FALSE(table_.Apply(plan).ok());
  EXPECT_EQ(EncodePlan(table_.Snapshot(1, log)), before);
  // A plan after a refused one may close slots that were never opened.
  EXPECT_TRUE(table_.Apply({.closed = {0, 1}}).ok());
}

TEST_F(SlotTableTest, ASnapshotBringsAnotherTableToTheSameState) {
  Apply(Example());
  Apply(Decode());
  int asked = 0;
  const auto log = [&](int32_t slot) {
    EXPECT_EQ(slot, 2) << "the other slot's sampling does not look back";
    ++asked;
    return std::vector<int32_t>{98, 0, 5, 6, 7};
  };
  const StepPlan snapshot = table_.Snapshot(20, log);
  EXPECT_EQ(asked, 1);
  const auto decoded = DecodePlan(EncodePlan(snapshot));
  ASSERT_TRUE(decoded.ok());
  SlotTable joined(SmallInfo(), {});
  ASSERT_TRUE(joined.Apply(*decoded).ok());
  EXPECT_EQ(EncodePlan(joined.Snapshot(20, log)), EncodePlan(snapshot));
  // Both go on alike. The one that joined has no sampled token, so the plan names it.
  StepPlan next{.step = 21};
  next.entries = {{.slot = 2, .sample = true, .tokens = {7}}, {.slot = 3, .tokens = {1}}};
  for (SlotTable* table : {&table_, &joined}) {
    ASSERT_TRUE(table->Apply(next).ok());
    EXPECT_THAT(table->input().positions, ElementsAre(4, 19));
    EXPECT_THAT(table->input().kv.indices, ElementsAre(3, 9, 0));
  }
  SlotTable other(SmallInfo(), {});
  ASSERT_TRUE(other.Apply(*decoded).ok());
  next.entries[0].tokens = {kFromSampler};
  EXPECT_THAT(std::string(other.Apply(next).message()), HasSubstr("from the sampler"));
}

}  // namespace
}  // namespace terminus::services::decoder::scheduler
