#include "common/tokenizer/pre_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/tokenizer/class_split.h"
#include "common/tokenizer/json_node.h"
#include "common/tokenizer/metaspace.h"
#include "common/tokenizer/regex_split.h"
#include "common/tokenizer/unicode.h"

namespace terminus::tokenizer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> Words(const PreTokenizer& tokenizer, absl::string_view text) {
  WordList words;
  words.beginning = text.data();
  tokenizer.Split(text, words);
  return {words.list.begin(), words.list.end()};
}

TEST(ClassSplitTest, DigitsAloneOrTogether) {
  const ClassSplit alone(kNumber, SplitBehavior::kIsolated);
  EXPECT_THAT(Words(alone, "ab12 3"), ElementsAre("ab", "1", "2", " ", "3"));
  const ClassSplit together(kNumber, SplitBehavior::kContiguous);
  EXPECT_THAT(Words(together, "ab12 3²"), ElementsAre("ab", "12", " ", "3²"));
  EXPECT_THAT(Words(together, "none"), ElementsAre("none"));
}

// Oniguruma takes ² ³ ¹ ¼ ½ ¾ for word characters outside classes only, and no other such number.
TEST(RegexSplitTest, WordCharactersAreThoseOfOniguruma) {
  const auto words = [](const char* pattern, absl::string_view text) {
    const auto split = RegexSplit::Create(pattern, SplitBehavior::kIsolated, /*invert=*/false);
    EXPECT_TRUE(split.ok()) << split.status();
    return Words(**split, text);
  };
  EXPECT_THAT(words(R"(\w+)", "a² ½x ①b e\u0301"),
              ElementsAre("a²", " ", "½x", " ①", "b", " ", "e\u0301"));
  EXPECT_THAT(words(R"([\w]+)", "a² ½x ①b"), ElementsAre("a", "² ½", "x", " ①", "b"));
  EXPECT_THAT(words(R"(\W+)", "a² ①b½-c"), ElementsAre("a²", " ①", "b½", "-", "c"));
  EXPECT_THAT(words(R"(\b)", "a² ①b-c½ e\u0301x"),
              ElementsAre("a²", " ①", "b", "-", "c½", " ", "e\u0301x"));
  EXPECT_THAT(words(R"(\B)", "ab ½c"), ElementsAre("a", "b ½", "c"));
}

TEST(WhitespaceTest, WordsAndOthers) {
  EXPECT_THAT(Words(WhitespacePreTokenizer(), " Hey,  friend!!\u3000né_1 "),
              ElementsAre("Hey", ",", "friend", "!!", "né_1"));
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

TEST(RegexSplitTest, EmptyMatchesCutAndBadPatternsAreNamed) {
  const auto empty = RegexSplit::Create("x*", SplitBehavior::kIsolated, false);
  ASSERT_TRUE(empty.ok());
  EXPECT_THAT(Words(**empty, "aéxx"), ElementsAre("a", "é", "xx"));
  const auto bad = RegexSplit::Create("(", SplitBehavior::kIsolated, false);
  EXPECT_EQ(bad.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(bad.status().message()), ::testing::HasSubstr("byte 1"));
}

// As the library has it, though not its documentation.
TEST(RegexSplitTest, MatchesOfNothingCut) {
  for (const auto behavior : {SplitBehavior::kIsolated, SplitBehavior::kMergedWithPrevious}) {
    const auto split = RegexSplit::Create("(?=x)", behavior, false);
    ASSERT_TRUE(split.ok());
    EXPECT_THAT(Words(**split, "aaxbxx"), ElementsAre("aa", "xb", "x", "x"));
  }
}

TEST(RegexSplitTest, ExplosivePatternsAreBounded) {
  const auto split = RegexSplit::Create("(a+)+$", SplitBehavior::kIsolated, false);
  ASSERT_TRUE(split.ok());
  const std::string text = std::string(40, 'a') + "b";
  EXPECT_THAT(Words(**split, text), ElementsAre(text));
}

TEST(RegexSplitTest, CharactersAreOnigurumas) {
  const auto split = [](const std::string& pattern, absl::string_view text) {
    auto made = RegexSplit::Create(pattern, SplitBehavior::kIsolated, false);
    EXPECT_TRUE(made.ok()) << made.status();
    return Words(**made, text);
  };
  EXPECT_THAT(split("\\s+", "a\u180e\u3000\u0085b"), ElementsAre("a\u180e", "\u3000\u0085", "b"));
  EXPECT_THAT(split("[^\\s!]+", "a\u180e !"), ElementsAre("a\u180e", " !"));
  EXPECT_THAT(split("[\\w]+", "e\u0301_²!"), ElementsAre("e\u0301_", "²!"));
  EXPECT_THAT(split("\\W", "e\u0301²!"), ElementsAre("e\u0301²", "!"));
  EXPECT_THAT(split("a$", "a\na"), ElementsAre("a", "\n", "a"));
  EXPECT_THAT(split("[[:digit:]]+", "a12"), ElementsAre("a", "12"));
  const auto fault = [](const std::string& pattern) {
    const auto made = RegexSplit::Create(pattern, SplitBehavior::kIsolated, false);
    return std::string(made.status().message());
  };
  EXPECT_THAT(fault("[^\\W]"), HasSubstr("at byte 2: \\W is not supported"));
  EXPECT_THAT(fault("[a-z&&b]"), HasSubstr("at byte 4: a class made of classes"));
  EXPECT_THAT(fault("[a[b]]"), HasSubstr("at byte 2: a class made of classes"));
}

// Tens of thousands of characters in one match need more stack than a compiled pattern has.
TEST(RegexSplitTest, LongMatchesAreFound) {
  const auto split = RegexSplit::Create("(?:a|(b)|é)+", SplitBehavior::kIsolated, false);
  ASSERT_TRUE(split.ok());
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += i % 3 == 0 ? "a" : i % 3 == 1 ? "b" : "é";
  EXPECT_THAT(Words(**split, "x" + text + "y"), ElementsAre("x", text, "y"));
}

TEST(MetaspaceTest, EachScheme) {
  const auto words = [](Metaspace::Prepend prepend, bool split, absl::string_view text) {
    return Words(Metaspace({.prepend = prepend, .split = split}), text);
  };
  using Prepend = Metaspace::Prepend;
  EXPECT_THAT(words(Prepend::kAlways, true, "a  b c"), ElementsAre("▁a", "▁", "▁b", "▁c"));
  EXPECT_THAT(words(Prepend::kAlways, true, " a"), ElementsAre("▁a"));
  EXPECT_THAT(words(Prepend::kAlways, false, "▁a b"), ElementsAre("▁a▁b"));
  EXPECT_THAT(words(Prepend::kNever, true, "a b"), ElementsAre("a", "▁b"));
  EXPECT_THAT(words(Prepend::kFirst, true, "a b"), ElementsAre("▁a", "▁b"));
  WordList later;
  Metaspace({.prepend = Prepend::kFirst}).Split("a b", later);
  EXPECT_THAT(later.list, ElementsAre("a", "▁b"));
}

TEST(MetaspaceTest, BehindOthersEachWordIsMarked) {
  const auto section = nlohmann::json::parse(R"({"type": "Sequence", "pretokenizers": [
      {"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "▁"},
      {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": false}]}]})");
  const auto made = MakePreTokenizer(JsonNode(section));
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_THAT(Words(**made, " ab \t c12"), ElementsAre("▁ab", "▁c", "12"));
}

std::string FaultOf(const char* json) {
  const auto document = nlohmann::json::parse(json);
  return std::string(MakePreTokenizer(JsonNode(document)).status().message());
}

TEST(MakePreTokenizerTest, WhatIsNotSupportedIsNamed) {
  EXPECT_THAT(FaultOf(R"({"type": "Sequence", "pretokenizers": [
                          {"type": "ByteLevel", "add_prefix_space": false}, {"type": "Digits"}]})"),
              HasSubstr("pretokenizers[0].type: ByteLevel is supported only at the end"));
  EXPECT_THAT(FaultOf(R"({"type": "Punctuation", "behavior": "Kept"})"),
              HasSubstr("behavior: found \"Kept\""));
  EXPECT_THAT(FaultOf(R"({"type": "ByteLevel", "add_prefix_space": 1})"),
              HasSubstr("add_prefix_space: found 1"));
}

}  // namespace
}  // namespace terminus::tokenizer
