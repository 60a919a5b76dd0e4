#include "common/tokenizer/byte_level.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace terminus::tokenizer {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Words(const PreTokenizer& tokenizer, absl::string_view text) {
  WordList words;
  words.beginning = text.data();
  tokenizer.Split(text, words);
  return {words.list.begin(), words.list.end()};
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
  const ByteLevelPreTokenizer split({.add_prefix_space = false});
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

}  // namespace
}  // namespace terminus::tokenizer
