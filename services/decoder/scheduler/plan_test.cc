#include "services/decoder/scheduler/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <random>

#include "absl/strings/escaping.h"
#include "services/decoder/scheduler/plan_fixture.h"

namespace terminus::services::decoder::scheduler {
namespace {

using ::testing::HasSubstr;

TEST(Plan, ComesBackAsItWas) {
  const StepPlan original = Example();
  const auto plan = DecodePlan(EncodePlan(original));
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->step, 12u);
  EXPECT_EQ(plan->closed, original.closed);
  EXPECT_EQ(plan->dropped_soft_tokens, original.dropped_soft_tokens);
  ASSERT_EQ(plan->soft_tokens.size(), 1u);
  EXPECT_EQ(plan->soft_tokens[0]->content_hash, original.soft_tokens[0]->content_hash);
  EXPECT_EQ(plan->soft_tokens[0]->rows, 2);
  EXPECT_EQ(plan->soft_tokens[0]->values, original.soft_tokens[0]->values);
  EXPECT_EQ(plan->opened, original.opened);
  EXPECT_EQ(plan->entries, original.entries);
  const auto decode = DecodePlan(EncodePlan(Decode()));
  ASSERT_TRUE(decode.ok()) << decode.status();
  EXPECT_EQ(decode->entries, Decode().entries);
  EXPECT_TRUE(DecodePlan(EncodePlan({})).ok());
}

// The bytes are what other ranks read. Who changes them changes kPlanVersion, docs/step_plan.md and
// the golden file, which holds both plans in hexadecimal, a line each.
TEST(Plan, BytesAreThoseOfTheGoldenFile) {
  std::ifstream file("services/decoder/scheduler/testdata/step_plan_v3.hex");
  const std::string golden((std::istreambuf_iterator<char>(file)), {});
  EXPECT_EQ(absl::BytesToHexString(EncodePlan(Example())) + "\n" +
                absl::BytesToHexString(EncodePlan(Decode())) + "\n",
            golden);
}

// A plan of 512 sequences that decode, each with a token's id and a new block.
TEST(Plan, DecodeOf512SequencesTakesAtMost16KiB) {
  StepPlan plan{.step = 1};
  for (int32_t slot = 0; slot < 512; ++slot) {
    plan.entries.push_back({.slot = slot, .sample = true, .tokens = {7}, .new_blocks = {slot}});
  }
  EXPECT_LE(EncodePlan(plan).size(), 16u << 10);
}

TEST(Plan, AnotherVersionAndOtherBytesAreRefused) {
  std::string bytes = EncodePlan(Example());
  bytes[4] = 2;
  EXPECT_THAT(std::string(DecodePlan(bytes).status().message()),
              HasSubstr("version 2, expected 3"));
  EXPECT_FALSE(DecodePlan("").ok());
  EXPECT_THAT(std::string(DecodePlan("hello, I am not a plan at all").status().message()),
              HasSubstr("no step plan"));
}

TEST(Plan, EveryCutIsNoticed) {
  const std::string bytes = EncodePlan(Example());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(DecodePlan(absl::string_view(bytes).substr(0, size)).ok()) << size;
  }
  EXPECT_THAT(std::string(DecodePlan(bytes + "x").status().message()),
              HasSubstr("1 bytes too many"));
}

void Damage(std::mt19937& random, std::string& bytes) {
  for (uint32_t flips = 1 + random() % 4; flips > 0; --flips) {
    const size_t at = random() % bytes.size();
    bytes[at] = random() % 4 == 0 ? static_cast<char>(0xff) : static_cast<char>(random());
  }
  if (random() % 8 == 0) {
    bytes.resize(random() % (bytes.size() + 1));
  }
}

void ExpectInBounds(const models::decoder::ForwardInput& input) {
  const models::decoder::RunnerInfo info = SmallInfo();
  const size_t sequences = input.slots.size();
  ASSERT_EQ(input.query_indptr.size(), sequences + 1);
  ASSERT_EQ(input.kv.indptr.size(), sequences + 1);
  ASSERT_EQ(input.token_ids.size(), input.positions.size());
  ASSERT_LE(input.token_ids.size(), static_cast<size_t>(info.max_tokens));
  for (const int32_t token : input.token_ids) ASSERT_TRUE(token >= -1 && token < info.vocab_size);
  for (const int32_t at : input.positions) ASSERT_TRUE(at >= 0 && at < info.max_context);
  for (const int32_t slot : input.slots) ASSERT_TRUE(slot >= 0 && slot < info.slots);
  for (const int32_t block : input.kv.indices) ASSERT_TRUE(block >= 0 && block < info.kv_blocks);
  for (const models::decoder::SoftSpan& span : input.soft) {
    ASSERT_TRUE(span.first_token >= 0 && span.rows > 0);
    ASSERT_LE(static_cast<size_t>(span.first_token + span.rows), input.token_ids.size());
    ASSERT_LE(span.first_row + span.rows, span.tokens->rows);
    ASSERT_EQ(span.tokens->values.size(), static_cast<size_t>(2 * span.tokens->rows));
  }
}

// Whatever the bytes: an error, or a step that keeps the bounds of the model.
TEST(Plan, DamagedBytesNeverLeadOutOfBounds) {
  const std::string first = EncodePlan(Example());
  const std::string second = EncodePlan(Decode());
  std::mt19937 random(1);
  int accepted = 0;
  for (int round = 0; round < 200'000; ++round) {
    SlotTable table(SmallInfo(), {});
    std::string bytes = first;
    if (round % 4 == 0) {
      ASSERT_TRUE(table.Apply(Example()).ok());
      bytes = second;
    }
    Damage(random, bytes);
    const auto plan = DecodePlan(bytes);
    if (plan.ok() && table.Apply(*plan).ok()) {
      ++accepted;
      ExpectInBounds(table.input());
    }
  }
  EXPECT_GT(accepted, 1000) << "the damage is too rough to get past the first checks";
}

}  // namespace
}  // namespace terminus::services::decoder::scheduler
