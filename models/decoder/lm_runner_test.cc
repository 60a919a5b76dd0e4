#include "models/decoder/lm_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace terminus::models::decoder {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kVocabulary = 40;

// Its likeliest token is the last one plus one. After token 13 its logits are NaN.
class CountingLm : public CausalLm {
 public:
  absl::StatusOr<Logits> Forward(const StepInput& input) override {
    seen.assign(input.token_ids.begin(), input.token_ids.end());
    values_.clear();
    for (const int32_t token : input.logits_tokens) {
      const int32_t last = input.token_ids[static_cast<size_t>(token)];
      for (int32_t id = 0; id < kVocabulary; ++id) {
        values_.push_back(id == last + 1 ? 2.0f : id == last + 2 ? 1.0f : 0.0f);
      }
      if (last == 13) values_.back() = std::numeric_limits<float>::quiet_NaN();
    }
    return Logits{.rows = static_cast<int>(input.logits_tokens.size()),
                  .vocab_size = kVocabulary,
                  .values = values_};
  }
  absl::StatusOr<HiddenStates> ForwardHidden(const StepInput& /*input*/) override {
    return absl::UnimplementedError("one stage");
  }
  bool first_stage() const override { return true; }
  bool last_stage() const override { return true; }
  int vocab_size() const override { return kVocabulary; }
  int hidden_size() const override { return 1; }
  int max_context() const override { return 64; }
  int kv_blocks() const override { return 4; }
  ComputeDType dtype() const override { return ComputeDType::kFloat32; }
  int64_t kv_block_bytes() const override { return 1; }

  std::vector<int32_t> seen;

 private:
  std::vector<float> values_;
};

class LmRunnerTest : public ::testing::Test {
 protected:
  LmRunnerTest() {
    auto lm = std::make_unique<CountingLm>();
    lm_ = lm.get();
    runner_ = std::make_unique<LmRunner>(
        std::move(lm), sampling::LogitRules{},
        LmRunner::Options{.slots = 4, .max_tokens = 8, .steps_in_flight = 2});
    for (int32_t slot = 0; slot < 3; ++slot) Open(slot, {.temperature = 0});
  }

  void Open(int32_t slot, const sampling::Parameters& sampling,
            const std::vector<int32_t>& tokens = {}) {
    ASSERT_TRUE(
        runner_
            ->OpenSlot(
                slot,
                {.sampling = sampling, .prompt_length = 1, .max_length = 60, .tokens = tokens})
            .ok());
  }

  // One token for each slot, whose logits are wanted.
  absl::Status Forward(std::vector<int32_t> tokens, std::vector<int32_t> slots) {
    std::vector<int32_t> positions(tokens.size());
    std::vector<int32_t> indptr(1);
    std::vector<int32_t> ones(tokens.size(), 1);
    std::vector<int32_t> rows;
    for (size_t i = 0; i < slots.size(); ++i) {
      rows.push_back(static_cast<int32_t>(i));
      indptr.push_back(static_cast<int32_t>(i) + 1);
    }
    return runner_->Forward({.token_ids = tokens,
                             .positions = positions,
                             .query_indptr = indptr,
                             .slots = slots,
                             .kv = {.indptr = indptr, .indices = rows, .last_page_len = ones},
                             .logits_sequences = rows});
  }

  CountingLm* lm_ = nullptr;
  std::unique_ptr<LmRunner> runner_;
};

TEST_F(LmRunnerTest, TakesTokensFromTheSamplerWithTwoStepsInFlight) {
  ASSERT_TRUE(Forward({4, 20}, {0, 1}).ok());
  ASSERT_TRUE(runner_->Sample({{.row = 0, .length = 1}}).ok());
  ASSERT_TRUE(runner_->Sample({{.row = 1, .length = 1}}).ok());
  ASSERT_TRUE(runner_->EndStep().ok());
  ASSERT_TRUE(Forward({kFromSampler, kFromSampler}, {1, 0}).ok());
  EXPECT_THAT(lm_->seen, ElementsAre(21, 5));
  ASSERT_TRUE(runner_->Sample({{.row = 1, .length = 2}}).ok());
  ASSERT_TRUE(runner_->EndStep().ok());
  const auto first = runner_->Collect();
  ASSERT_TRUE(first.ok());
  ASSERT_EQ(first->rows.size(), 2u);
  EXPECT_EQ(first->rows[0].sampled->chosen.token, 5);
  EXPECT_EQ(first->rows[1].row, 1);
  EXPECT_EQ(first->rows[1].sampled->chosen.token, 21);
  const auto second = runner_->Collect();
  ASSERT_EQ(second->rows.size(), 1u);
  EXPECT_EQ(second->rows[0].sampled->chosen.token, 6);
}

TEST_F(LmRunnerTest, AFaultyRowLeavesAValidToken) {
  ASSERT_TRUE(Forward({13, 2}, {0, 1}).ok());
  ASSERT_TRUE(runner_->Sample({{.row = 0, .length = 1}, {.row = 1, .length = 1}}).ok());
  ASSERT_TRUE(runner_->EndStep().ok());
  const auto output = runner_->Collect();
  EXPECT_EQ(output->rows[0].sampled.status().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(output->rows[1].sampled->chosen.token, 3);
  ASSERT_TRUE(Forward({kFromSampler}, {0}).ok());
  EXPECT_THAT(lm_->seen, ElementsAre(::testing::AllOf(::testing::Ge(0), ::testing::Lt(40))));
}

TEST_F(LmRunnerTest, PenaltiesCountWhatWasSampled) {
  Open(0, {.temperature = 0, .repetition_penalty = 100}, {4});
  ASSERT_TRUE(Forward({4}, {0}).ok());
  ASSERT_TRUE(runner_->Sample({{.row = 0, .length = 1}}).ok());
  ASSERT_TRUE(runner_->EndStep().ok());
  EXPECT_EQ(runner_->Collect()->rows[0].sampled->chosen.token, 5);
  // 5 would come again, but it is in the log.
  ASSERT_TRUE(Forward({4}, {0}).ok());
  ASSERT_TRUE(runner_->Sample({{.row = 0, .length = 2}}).ok());
  ASSERT_TRUE(runner_->EndStep().ok());
  EXPECT_EQ(runner_->Collect()->rows[0].sampled->chosen.token, 6);
  // A log that does not fit is not sampled from.
  ASSERT_TRUE(Forward({4}, {0}).ok());
  EXPECT_THAT(std::string(runner_->Sample({{.row = 0, .length = 7}}).message()),
              HasSubstr("a log of 3 tokens, expected 7"));
}

TEST_F(LmRunnerTest, AMaskLeavesOnlyItsTokens) {
  const uint32_t mask[2] = {1u << 9 | 1u << 6, 0};
  ASSERT_TRUE(Forward({4}, {0}).ok());
  ASSERT_TRUE(runner_->Sample({{.row = 0, .length = 1, .mask = mask}}).ok());
  ASSERT_TRUE(runner_->EndStep().ok());
  EXPECT_EQ(runner_->Collect()->rows[0].sampled->chosen.token, 6);
}

TEST_F(LmRunnerTest, SaysWhatIsOutOfBoundsAndGoesOn) {
  const auto message = [](const absl::Status& status) { return std::string(status.message()); };
  EXPECT_THAT(message(Forward({1}, {3})), HasSubstr("slot 3 is not open"));
  EXPECT_THAT(message(Forward({1}, {4})), HasSubstr("slot 4 is not open"));
  EXPECT_THAT(message(Forward(std::vector<int32_t>(9, 1), std::vector<int32_t>(9, 0))),
              HasSubstr("9 tokens, at most 8"));
  EXPECT_THAT(message(runner_->OpenSlot(4, {})), HasSubstr("slot 4, there are 4"));
  EXPECT_THAT(message(runner_->OpenSlot(-1, {})), HasSubstr("slot -1"));
  ASSERT_TRUE(Forward({1}, {0}).ok());
  EXPECT_THAT(message(runner_->Sample({{.row = 1, .length = 1}})), HasSubstr("row 1 is sampled"));
  EXPECT_TRUE(runner_->Sample({{.row = 0, .length = 1}}).ok());
  EXPECT_THAT(message(runner_->Sample({{.row = 0, .length = 1}})), HasSubstr("twice"));
}

TEST_F(LmRunnerTest, SoftTokensAreRefusedUnlessTheModelTakesThem) {
  const SoftTokens image{.content_hash = 1, .rows = 1, .values = {1}};
  const std::vector<SoftSpan> soft = {
      {.rows = 1, .tokens = std::make_shared<const SoftTokens>(image)}};
  const std::vector<int32_t> zero = {0};
  const std::vector<int32_t> one = {1};
  const std::vector<int32_t> indptr = {0, 1};
  const absl::Status status =
      runner_->Forward({.token_ids = one,
                        .positions = zero,
                        .query_indptr = indptr,
                        .slots = zero,
                        .kv = {.indptr = indptr, .indices = zero, .last_page_len = one},
                        .soft = soft});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("takes no soft tokens"));
}

}  // namespace
}  // namespace terminus::models::decoder
