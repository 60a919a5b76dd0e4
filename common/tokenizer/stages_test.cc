#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/tokenizer/added_tokens.h"
#include "common/tokenizer/bert_normalizer.h"
#include "common/tokenizer/bert_pre_tokenizer.h"
#include "common/tokenizer/json_node.h"
#include "common/tokenizer/normalizer.h"

namespace terminus::tokenizer {
namespace {

using ::testing::ElementsAre;

std::string Normalize(const BertNormalizer::Options& options, absl::string_view text) {
  std::string out = "before ";
  BertNormalizer(options).Normalize(text, out);
  EXPECT_EQ(out.substr(0, 7), "before ");
  return out.substr(7);
}

TEST(BertNormalizerTest, EachOptionAlone) {
  const BertNormalizer::Options none = {.clean_text = false,
                                        .handle_chinese_chars = false,
                                        .strip_accents = false,
                                        .lowercase = false};
  const std::string text("A\tÉ\u200b\0 日İ", 14);
  EXPECT_EQ(Normalize(none, text), text);
  auto options = none;
  options.clean_text = true;
  EXPECT_EQ(Normalize(options, text), "A É 日İ");
  options = none;
  options.handle_chinese_chars = true;
  EXPECT_EQ(Normalize(options, text), std::string("A\tÉ\u200b\0  日 İ", 16));
  options = none;
  options.strip_accents = true;
  EXPECT_EQ(Normalize(options, text), std::string("A\tE\u200b\0 日I", 12));
  options = none;
  options.lowercase = true;
  EXPECT_EQ(Normalize(options, text), std::string("a\té\u200b\0 日i\u0307", 15));
}

TEST(BertNormalizerTest, MarksThatStayAreReordered) {
  // A Hangul tone mark (class 224) behind a stroke of class 1, which is dropped, and before a
  // musical stem of class 216, which stays.
  EXPECT_EQ(Normalize({}, "A\u302e\u0334\U0001d165B"), "a\U0001d165\u302eb");
}

TEST(BertNormalizerTest, RoomForTextThatGrows) {
  std::string hangul;
  std::string jamo;
  for (int i = 0; i < 1000; ++i) {
    hangul += "각";
    jamo += "\u1100\u1161\u11a8";
  }
  EXPECT_EQ(Normalize({}, hangul + "X"), jamo + "x");
}

TEST(NfcNormalizerTest, ComposesAndAppends) {
  const nlohmann::json section = {{"type", "NFC"}};
  const auto nfc = MakeNormalizer(JsonNode(section));
  ASSERT_TRUE(nfc.ok()) << nfc.status();
  std::string out = "before ";
  (*nfc)->Normalize("plain ", out);
  (*nfc)->Normalize("e\u0301\u0327 \u1100\u1161 \u212b", out);
  EXPECT_EQ(out, "before plain \u0229\u0301 \uac00 \u00c5");
  // Younger than the library's tables, so that it is no mark there.
  out.clear();
  (*nfc)->Normalize("a\u08e5\U00016ff1e\u0301 \U00011935\U00011930", out);
  EXPECT_EQ(out, "a\u08e5\U00016ff1\u00e9 \U00011935\U00011930");
}

std::vector<std::string> Split(absl::string_view text) {
  std::vector<absl::string_view> words;
  BertPreTokenizer().Split(text, words);
  return {words.begin(), words.end()};
}

TEST(BertPreTokenizerTest, BlanksAndPunctuation) {
  EXPECT_THAT(Split(""), ElementsAre());
  EXPECT_THAT(Split(" \u3000\n"), ElementsAre());
  EXPECT_THAT(Split("don't  stop…"), ElementsAre("don", "'", "t", "stop", "…"));
  EXPECT_THAT(Split("!a\u00a0$b"), ElementsAre("!", "a", "$", "b"));
}

class AddedTokensTest : public ::testing::Test {
 protected:
  // Text in brackets, tokens as numbers.
  std::string Split(absl::string_view text) const {
    std::string parts;
    tokens_.Split(
        text,
        [&](absl::string_view part) {
          parts += '(';
          parts.append(part.data(), part.size());
          parts += ')';
        },
        [&](int32_t id) { parts += std::to_string(id); });
    return parts;
  }

  AddedTokens tokens_;
};

TEST_F(AddedTokensTest, WithoutAnyTheTextStaysWhole) {
  EXPECT_EQ(Split("a b"), "(a b)");
  EXPECT_EQ(Split(""), "");
}

TEST_F(AddedTokensTest, LeftmostThenLongest) {
  tokens_ = AddedTokens({{.id = 1, .content = "<a"},
                         {.id = 2, .content = "<a>"},
                         {.id = 3, .content = "a>b"},
                         {.id = 4, .content = "<a"}});
  EXPECT_EQ(Split("x<a>b<ay"), "(x)2(b)1(y)");
}

TEST_F(AddedTokensTest, SingleWord) {
  tokens_ = AddedTokens({{.id = 1, .content = "the", .single_word = true}});
  EXPECT_EQ(Split("the theft, the!"), "1( theft, )1(!)");
  EXPECT_EQ(Split("éthe the_ the\u0301"), "(éthe the_ the\u0301)");
}

TEST_F(AddedTokensTest, WhiteSpaceGoesAlong) {
  tokens_ = AddedTokens(
      {{.id = 1, .content = "<l>", .lstrip = true}, {.id = 2, .content = "<r>", .rstrip = true}});
  EXPECT_EQ(Split("a \u3000<l> b <r>\t<l>\u00a0c"), "(a)1( b )21(\u00a0c)");
}

}  // namespace
}  // namespace terminus::tokenizer
