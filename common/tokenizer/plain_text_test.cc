#include "common/tokenizer/plain_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/tokenizer/json_node.h"
#include "common/tokenizer/tokenizer.h"

namespace terminus::tokenizer {
namespace {

using ::testing::ElementsAre;
using Json = nlohmann::json;
using Ranges = std::vector<base::ByteRange>;

// A prompt as parts: what a template writes, and in brackets of its own what a person wrote.
struct Prompt {
  std::string text;
  Ranges ranges;

  Prompt& Template(const std::string& part) {
    text += part;
    return *this;
  }
  Prompt& Plain(const std::string& part) {
    ranges.push_back({.begin = text.size(), .end = text.size() + part.size()});
    text += part;
    return *this;
  }
};

Json Token(int id, const std::string& content, bool special, bool normalized = false) {
  return {{"id", id},        {"content", content},       {"special", special},  {"lstrip", false},
          {"rstrip", false}, {"normalized", normalized}, {"single_word", false}};
}

// A character a token, from "!" to "~" and "▁", then added tokens.
Json Document(std::vector<Json> added) {
  Json vocabulary = {{"<unk>", 0}};
  for (char c = '!'; c <= '~'; ++c) vocabulary[std::string(1, c)] = c - '!' + 1;
  vocabulary["▁"] = 95;
  return {{"added_tokens", std::move(added)},
          {"normalizer",
           {{"type", "Sequence"},
            {"normalizers",
             {{{"type", "Prepend"}, {"prepend", "▁"}},
              {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "▁"}},
              {{"type", "NFC"}}}}}},
          {"model",
           {{"type", "BPE"},
            {"unk_token", "<unk>"},
            {"vocab", vocabulary},
            {"merges", Json::array()}}}};
}

// The tokens of a prompt, each followed by a bar.
std::string Shown(const Json& document, const Prompt& prompt) {
  const auto tokenizer = Tokenizer::FromJson(document.dump());
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  const auto encoding = (*tokenizer)->Encode(prompt.text, {.plain_text = prompt.ranges});
  EXPECT_TRUE(encoding.ok()) << encoding.status();
  std::string shown;
  for (const int32_t id : encoding->ids) absl::StrAppend(&shown, *(*tokenizer)->TokenOf(id), "|");
  return shown;
}

TEST(PlainTextTest, NoSpecialTokenHasAByteOfIt) {
  const Json document =
      Document({Token(96, "<e>", true), Token(97, "<e>x", true), Token(98, "ab", false)});
  EXPECT_EQ(Shown(document, Prompt().Template("<e>").Plain("b").Template("<e>")), "<e>|▁|b|<e>|");
  EXPECT_EQ(Shown(document, Prompt().Template("<e>").Plain("<e>").Template("<e>")),
            "<e>|▁|<|e|>|<e>|");
  // Halves of a token from both sides.
  EXPECT_EQ(Shown(document, Prompt().Plain("<e").Template("><e>")), "▁|<|e|>|<e>|");
  EXPECT_EQ(Shown(document, Prompt().Template("<e><").Plain("e>")), "<e>|▁|<|e|>|");
  // The longer token would take what a person wrote; the shorter one is the template's.
  EXPECT_EQ(Shown(document, Prompt().Template("<e>").Plain("x")), "<e>|▁|x|");
  EXPECT_EQ(Shown(document, Prompt().Template("<e>x")), "<e>x|");
  // Tokens that are not special stay.
  EXPECT_EQ(Shown(document, Prompt().Template("a").Plain("b ab")), "ab|▁|▁|ab|");
}

TEST(PlainTextTest, InNormalisedTextToo) {
  const Json document = Document({Token(96, "<e>", true, /*normalized=*/true)});
  // The normalised form of the token has the blank that the normalizer puts in front of it.
  EXPECT_EQ(Shown(document, Prompt().Template(" <e>").Plain("b <e>").Template(" <e>c")),
            "▁|▁<e>|b|▁|<|e|>|▁<e>|c|");
  EXPECT_EQ(Shown(document, Prompt().Plain("a <").Template("e> <e>")), "▁|a|▁|<|e|>|▁<e>|");
  // A mark that a person wrote joins the template's last character.
  EXPECT_EQ(Shown(document, Prompt().Template("a <e>").Plain("\u0338 <e>").Template(" <e>")),
            "▁|a|▁|<|e|<unk>|▁|<|e|>|▁<e>|");
}

TEST(PlainTextTest, NorDoesTheModelMakeOne) {
  // A vocabulary that has a special token among its own.
  Json document = Document({Token(0, "<unk>", true), Token(2, "</s>", true)});
  document["normalizer"] = nullptr;
  document["model"] = Json::parse(R"({"type": "Unigram", "unk_id": 0, "vocab": [
      ["<unk>", -9], ["a", -1], ["</s>", 0], ["<", -5], ["/", -5], ["s", -5], [">", -5]]})");
  EXPECT_EQ(Shown(document, Prompt().Template("a</s>")), "a|</s>|");
  EXPECT_EQ(Shown(document, Prompt().Plain("a</s>é").Template("</s>")), "a|<|/|s|>|<unk>|</s>|");
}

TEST(PlainTextTest, RangesAreInOrder) {
  EXPECT_TRUE(CheckRanges(Ranges{{0, 0}, {0, 2}, {2, 5}}, 5).ok());
  EXPECT_EQ(CheckRanges(Ranges{{0, 6}}, 5).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CheckRanges(Ranges{{2, 1}}, 5).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CheckRanges(Ranges{{0, 3}, {2, 4}}, 5).code(), absl::StatusCode::kInvalidArgument);
}

TEST(PlainTextTest, PartsOfRanges) {
  const Ranges ranges = {{1, 4}, {4, 6}, {9, 12}};
  EXPECT_THAT(RangesWithin(ranges, 0, 20), ElementsAre(ranges[0], ranges[1], ranges[2]));
  EXPECT_THAT(RangesWithin(ranges, 5, 10),
              ElementsAre(base::ByteRange{0, 1}, base::ByteRange{4, 5}));
  EXPECT_THAT(RangesWithin(ranges, 6, 9), ElementsAre());
}

// A range of the normalised text has at least all that comes from the range of the text.
TEST(PlainTextTest, MappedRangesAreNeverTooShort) {
  const Json section = {
      {"type", "Sequence"},
      {"normalizers",
       {{{"type", "Prepend"}, {"prepend", "▁"}},
        {{"type", "Lowercase"}},
        {{"type", "NFC"}},
        {{"type", "Replace"}, {"pattern", {{"Regex", " {2,}"}}}, {"content", "_"}}}}};
  const auto normalizer = MakeNormalizer(JsonNode(section));
  ASSERT_TRUE(normalizer.ok()) << normalizer.status();
  const auto map = [&](const Prompt& prompt) {
    std::string normalized;
    (*normalizer)->Normalize(prompt.text, normalized);
    std::string shown;
    for (const base::ByteRange& range :
         MapRanges(**normalizer, prompt.text, prompt.ranges, normalized)) {
      absl::StrAppend(&shown, normalized.substr(range.begin, range.end - range.begin), "|");
    }
    return shown;
  };
  EXPECT_EQ(map(Prompt().Template("AB").Plain("CD").Template("EF").Plain("G")), "cd|g|");
  EXPECT_EQ(map(Prompt().Template("AE").Plain("\u0301X").Template("Y")), "éx|");
  EXPECT_EQ(map(Prompt().Template("A ").Plain(" B").Template("Y")), "_b|");
  EXPECT_EQ(map(Prompt().Plain("A").Template("Y")), "▁a|");
}

}  // namespace
}  // namespace terminus::tokenizer
