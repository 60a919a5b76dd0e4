#include "common/tokenizer/byte_level.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/tokenizer/regex_split.h"

namespace terminus::tokenizer {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Words(const PreTokenizer& tokenizer, absl::string_view text) {
  std::vector<absl::string_view> words;
  tokenizer.Split(text, words);
  return {words.begin(), words.end()};
}

TEST(ByteLevelTest, CharactersStandForBytes) {
  EXPECT_EQ(BytesOfByteLevel("abc"), "abc");
  EXPECT_EQ(BytesOfByteLevel("Ġthe"), " the");
  EXPECT_EQ(BytesOfByteLevel("Ċ"), "\n");
  EXPECT_EQ(BytesOfByteLevel("Ã©"), "é");
  EXPECT_EQ(BytesOfByteLevel("日"), absl::nullopt);
  EXPECT_EQ(BytesOfByteLevel(" "), absl::nullopt);
}

TEST(ByteLevelTest, SplitsAsGpt2) {
  const ByteLevelPreTokenizer split;
  EXPECT_THAT(Words(split, "Hello, world!"), ElementsAre("Hello", ",", " world", "!"));
  EXPECT_THAT(Words(split, "it's we'll I'D"),
              ElementsAre("it", "'s", " we", "'ll", " I", "'", "D"));
  EXPECT_THAT(Words(split, "a  b"), ElementsAre("a", " ", " b"));
  EXPECT_THAT(Words(split, "a \n\tb"), ElementsAre("a", " \n", "\t", "b"));
  EXPECT_THAT(Words(split, "end   "), ElementsAre("end", "   "));
  EXPECT_THAT(Words(split, "x\n"), ElementsAre("x", "\n"));
  EXPECT_THAT(Words(split, " 12ab"), ElementsAre(" 12", "ab"));
  EXPECT_THAT(Words(split, "\u3000\u3000字"), ElementsAre("\u3000", "\u3000", "字"));
  EXPECT_THAT(Words(split, " "), ElementsAre(" "));
}

TEST(DigitsTest, AloneOrTogether) {
  EXPECT_THAT(Words(DigitsPreTokenizer(true), "ab12 3"), ElementsAre("ab", "1", "2", " ", "3"));
  EXPECT_THAT(Words(DigitsPreTokenizer(false), "ab12 3²"), ElementsAre("ab", "12", " ", "3²"));
}

TEST(RegexSplitTest, Behaviors) {
  const auto split = [](SplitBehavior behavior, bool invert = false) {
    auto made = RegexSplit::Create("-", behavior, invert);
    EXPECT_TRUE(made.ok()) << made.status();
    return Words(**made, "the-final--countdown");
  };
  // The library's own documentation has this example.
  EXPECT_THAT(split(SplitBehavior::kRemoved), ElementsAre("the", "final", "countdown"));
  EXPECT_THAT(split(SplitBehavior::kIsolated),
              ElementsAre("the", "-", "final", "-", "-", "countdown"));
  EXPECT_THAT(split(SplitBehavior::kMergedWithPrevious),
              ElementsAre("the-", "final-", "-", "countdown"));
  EXPECT_THAT(split(SplitBehavior::kMergedWithNext),
              ElementsAre("the", "-final", "-", "-countdown"));
  EXPECT_THAT(split(SplitBehavior::kContiguous),
              ElementsAre("the", "-", "final", "--", "countdown"));
  EXPECT_THAT(split(SplitBehavior::kRemoved, true), ElementsAre("-", "-", "-"));
}

TEST(RegexSplitTest, EmptyMatchesEndAndBadPatternsAreNamed) {
  const auto empty = RegexSplit::Create("x*", SplitBehavior::kIsolated, false);
  ASSERT_TRUE(empty.ok());
  EXPECT_THAT(Words(**empty, "aéxx"), ElementsAre("aé", "xx"));
  const auto bad = RegexSplit::Create("(", SplitBehavior::kIsolated, false);
  EXPECT_EQ(bad.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(bad.status().message()), ::testing::HasSubstr("byte 1"));
}

TEST(RegexSplitTest, ExplosivePatternsAreBounded) {
  const auto split = RegexSplit::Create("(a+)+$", SplitBehavior::kIsolated, false);
  ASSERT_TRUE(split.ok());
  const std::string text = std::string(40, 'a') + "b";
  EXPECT_THAT(Words(**split, text), ElementsAre(text));
}

}  // namespace
}  // namespace terminus::tokenizer
