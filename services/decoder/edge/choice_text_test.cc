#include "services/decoder/edge/choice_text.h"

#include <gtest/gtest.h>

#include "services/decoder/testing/byte_codec.h"

namespace terminus::services::decoder::edge {
namespace {

using decoder::testing::ByteCodec;

ChoiceText Make(std::vector<std::string> stops) {
  return ChoiceText(ByteCodec().NewStream(), {.strings = std::move(stops)});
}

models::sampling::Sampled Token(int32_t token) {
  return {.chosen = {.token = token, .logprob = -1}};
}

// Pushes the bytes one by one, until the choice ends; returns the text shown.
std::string Push(ChoiceText& choice, const std::string& bytes, v1::TextDelta& last) {
  std::string shown;
  for (const char byte : bytes) {
    last.Clear();
    EXPECT_TRUE(choice.Push(Token(static_cast<unsigned char>(byte)), false, last).ok());
    shown += last.text();
    if (choice.ended()) break;
  }
  return shown;
}

TEST(ChoiceText, EachTokenIsADeltaWithTheTextItCompletes) {
  ChoiceText choice = Make({});
  v1::TextDelta delta;
  EXPECT_EQ(Push(choice, "a\xc3", delta), "a");
  EXPECT_EQ(delta.token_ids_size(), 1);
  EXPECT_EQ(delta.text(), "");
  EXPECT_EQ(Push(choice, "\xa9", delta), "\xc3\xa9");
  EXPECT_EQ(choice.tokens(), 3);
}

TEST(ChoiceText, AStopStringEndsIt) {
  ChoiceText choice = Make({"END"});
  v1::TextDelta delta;
  EXPECT_EQ(Push(choice, "one END two", delta), "one ");
  EXPECT_TRUE(choice.ended());
  EXPECT_EQ(delta.finish_reason(), v1::FINISH_REASON_STOP);
  EXPECT_EQ(choice.tokens(), 7);
}

TEST(ChoiceText, AnEndTokenEndsItAndIsNotShown) {
  ChoiceText choice(ByteCodec().NewStream(), {.tokens = {'x', 'y'}});
  v1::TextDelta delta;
  EXPECT_EQ(Push(choice, "abyc", delta), "ab");
  EXPECT_TRUE(choice.ended());
  EXPECT_EQ(delta.finish_reason(), v1::FINISH_REASON_STOP);
  EXPECT_EQ(delta.token_ids(0), static_cast<uint32_t>('y'));
  EXPECT_EQ(choice.tokens(), 3);
}

TEST(ChoiceText, AnEndTokenCountsOnlyBehindTheLeastLength) {
  ChoiceText choice(ByteCodec().NewStream(), {.tokens = {'x'}, .min_tokens = 2});
  v1::TextDelta delta;
  EXPECT_EQ(Push(choice, "xxxa", delta), "xx");
  EXPECT_EQ(choice.tokens(), 3);
}

TEST(ChoiceText, AnEndTokenShowsWhatWasHeldBack) {
  ChoiceText choice(ByteCodec().NewStream(), {.strings = {"END"}, .tokens = {'x'}});
  v1::TextDelta delta;
  EXPECT_EQ(Push(choice, "THE ENx", delta), "THE EN");
}

TEST(ChoiceText, TheEndShowsWhatWasHeldBack) {
  ChoiceText choice = Make({"END"});
  v1::TextDelta delta;
  EXPECT_EQ(Push(choice, "THE EN\xc3", delta), "THE ");
  delta.Clear();
  choice.End(pipeline::EndReason::kLength, delta);
  EXPECT_EQ(delta.text(), "EN\xef\xbf\xbd");
  EXPECT_EQ(delta.finish_reason(), v1::FINISH_REASON_LENGTH);
  EXPECT_TRUE(choice.ended());
}

TEST(ChoiceText, TheLastCharacterMayCompleteAStopString) {
  ChoiceText choice = Make({"\xef\xbf\xbd"});
  v1::TextDelta delta;
  EXPECT_EQ(Push(choice, "a\xc3", delta), "a");
  delta.Clear();
  choice.End(pipeline::EndReason::kLength, delta);
  EXPECT_EQ(delta.text(), "");
  EXPECT_EQ(delta.finish_reason(), v1::FINISH_REASON_STOP);
}

TEST(ChoiceText, LogprobsAreWrittenWhenAskedFor) {
  ChoiceText choice = Make({});
  models::sampling::Sampled token = Token('a');
  token.top = {{'a', -1}, {'b', -2}};
  v1::TextDelta delta;
  ASSERT_TRUE(choice.Push(token, true, delta).ok());
  ASSERT_EQ(delta.logprobs_size(), 1);
  EXPECT_EQ(delta.logprobs(0).chosen().token_id(), static_cast<uint32_t>('a'));
  EXPECT_EQ(delta.logprobs(0).top(1).logprob(), -2);
}

TEST(ChoiceText, DeltasMergeInOrder) {
  ChoiceText choice = Make({});
  v1::TextDelta whole;
  for (const char byte : std::string("abc")) {
    v1::TextDelta delta;
    ASSERT_TRUE(choice.Push(Token(byte), true, delta).ok());
    Merge(delta, whole);
  }
  v1::TextDelta end;
  choice.End(pipeline::EndReason::kStop, end);
  Merge(end, whole);
  EXPECT_EQ(whole.text(), "abc");
  EXPECT_EQ(whole.token_ids_size(), 3);
  EXPECT_EQ(whole.logprobs_size(), 3);
  EXPECT_EQ(whole.finish_reason(), v1::FINISH_REASON_STOP);
}

}  // namespace
}  // namespace terminus::services::decoder::edge
