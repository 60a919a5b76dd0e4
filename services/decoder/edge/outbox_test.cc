#include "services/decoder/edge/outbox.h"

#include <gtest/gtest.h>

namespace terminus::services::decoder::edge {
namespace {

using Move = Outbox::Move;

v1::TextDelta Delta(uint32_t choice, const std::string& text, int tokens) {
  v1::TextDelta delta;
  delta.set_choice(choice);
  delta.set_text(text);
  for (int i = 0; i < tokens; ++i) delta.add_token_ids(static_cast<uint32_t>(i));
  return delta;
}

v1::Usage Usage(uint32_t tokens) {
  v1::Usage usage;
  usage.set_generated_tokens(tokens);
  return usage;
}

TEST(Outbox, DeltasThatWaitForAWriteBecomeOne) {
  Outbox outbox(1);
  EXPECT_EQ(outbox.Next(), Move::kNothing);
  outbox.Add(Delta(0, "a", 1));
  ASSERT_EQ(outbox.Next(), Move::kWrite);
  outbox.Add(Delta(0, "b", 2));
  outbox.Add(Delta(0, "c", 3));
  EXPECT_EQ(outbox.Next(), Move::kNothing) << "one write at a time";
  EXPECT_EQ(outbox.message().delta().text(), "a");
  EXPECT_EQ(outbox.Written().count, 1);
  ASSERT_EQ(outbox.Next(), Move::kWrite);
  EXPECT_EQ(outbox.message().delta().text(), "bc");
  EXPECT_EQ(outbox.Written().count, 5);
  EXPECT_EQ(outbox.Next(), Move::kNothing);
}

TEST(Outbox, ChoicesTakeTurns) {
  Outbox outbox(3);
  std::string order;
  for (int i = 0; i < 6; ++i) {
    for (uint32_t choice : {0, 2}) outbox.Add(Delta(choice, "x", 1));
    ASSERT_EQ(outbox.Next(), Move::kWrite);
    order += std::to_string(outbox.Written().choice);
  }
  EXPECT_EQ(order, "020202");
}

TEST(Outbox, UsageComesBehindTheDeltasAndTheStatusLast) {
  Outbox outbox(2);
  outbox.Add(Delta(1, "a", 1));
  outbox.End(absl::OkStatus(), Usage(7));
  ASSERT_EQ(outbox.Next(), Move::kWrite);
  EXPECT_EQ(outbox.message().delta().choice(), 1u);
  outbox.Written();
  ASSERT_EQ(outbox.Next(), Move::kWrite);
  EXPECT_EQ(outbox.message().usage().generated_tokens(), 7u);
  EXPECT_EQ(outbox.Next(), Move::kNothing);
  EXPECT_EQ(outbox.Written().count, 0);
  EXPECT_EQ(outbox.Next(), Move::kFinish);
  EXPECT_EQ(outbox.status(), absl::OkStatus());
  EXPECT_EQ(outbox.Next(), Move::kNothing) << "finished once";
}

TEST(Outbox, NothingIsWrittenOnceNobodyReads) {
  Outbox outbox(1);
  outbox.Add(Delta(0, "a", 1));
  ASSERT_EQ(outbox.Next(), Move::kWrite);
  outbox.Add(Delta(0, "b", 1));
  outbox.Abandon();
  outbox.Add(Delta(0, "c", 1));
  outbox.End(absl::CancelledError("left"), Usage(3));
  EXPECT_EQ(outbox.Next(), Move::kNothing) << "the write is not done";
  outbox.Written();
  EXPECT_EQ(outbox.Next(), Move::kFinish);
  EXPECT_EQ(outbox.status(), absl::CancelledError("left"));
}

}  // namespace
}  // namespace terminus::services::decoder::edge
