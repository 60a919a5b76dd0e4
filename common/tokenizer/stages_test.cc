#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "absl/strings/escaping.h"
#include "common/base/file.h"
#include "common/tokenizer/added_tokens.h"
#include "common/tokenizer/bert_normalizer.h"
#include "common/tokenizer/bert_pre_tokenizer.h"
#include "common/tokenizer/grapheme.h"
#include "common/tokenizer/json_node.h"
#include "common/tokenizer/model.h"
#include "common/tokenizer/normalizer.h"
#include "common/tokenizer/utf8.h"

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

// What a section of "normalizer" makes of a text.
std::string Normalized(const std::string& json, absl::string_view text) {
  const auto section = nlohmann::json::parse(json);
  const auto normalizer = MakeNormalizer(JsonNode(section));
  EXPECT_TRUE(normalizer.ok()) << normalizer.status();
  std::string out = "before ";
  (*normalizer)->Normalize(text, out);
  EXPECT_EQ(out.substr(0, 7), "before ");
  return out.substr(7);
}

TEST(NormalizerTest, SmallOnes) {
  EXPECT_EQ(Normalized(R"({"type": "Lowercase"})", "AÉİß"), "aéi\u0307ß");
  EXPECT_EQ(
      Normalized(R"({"type": "Strip", "strip_left": true, "strip_right": false})", " \u3000a "),
      "a ");
  EXPECT_EQ(Normalized(R"({"type": "Strip", "strip_left": true, "strip_right": true})", " \u3000 "),
            "");
  EXPECT_EQ(Normalized(R"({"type": "StripAccents"})", "e\u0301é"), "eé");
  EXPECT_EQ(Normalized(R"({"type": "Nmt"})", "a\u0001\tb\u200bc▁"), "a b c ");
  EXPECT_EQ(Normalized(R"({"type": "Prepend", "prepend": "▁"})", "a"), "▁a");
  EXPECT_EQ(Normalized(R"({"type": "Prepend", "prepend": "▁"})", ""), "");
  EXPECT_EQ(Normalized(R"({"type": "ByteLevel"})", "a é"), "aĠÃ©");
  EXPECT_EQ(Normalized(R"({"type": "NFKC"})", "ﬁ\u32ff½"), "fi\u32ff1⁄2");
  EXPECT_EQ(Normalized(R"({"type": "NFKD"})", "é㎏"), "e\u0301kg");
}

TEST(NormalizerTest, Replace) {
  const auto replace = [](const std::string& pattern, absl::string_view text) {
    return Normalized(R"({"type": "Replace", "content": "-", "pattern": )" + pattern + "}", text);
  };
  EXPECT_EQ(replace(R"({"String": "aa"})", "aaaba"), "-aba");
  EXPECT_EQ(replace(R"({"Regex": "a+"})", "aaaba"), "-b-");
  EXPECT_EQ(replace(R"({"Regex": "x*"})", "aéxxb"), "-a-é-b-");
  EXPECT_EQ(replace(R"({"Regex": "^"})", ""), "");
}

TEST(NormalizerTest, InSequence) {
  EXPECT_EQ(Normalized(R"({"type": "Sequence", "normalizers": [
                           {"type": "NFKD"}, {"type": "Sequence", "normalizers": [
                             {"type": "StripAccents"}, {"type": "Lowercase"}]}]})",
                       "ÉﬁX"),
            "efix");
  EXPECT_EQ(Normalized(R"({"type": "Sequence", "normalizers": []})", "É"), "É");
}

TEST(GraphemeTest, EndsOfClusters) {
  const auto clusters = [](absl::string_view text) {
    std::vector<std::string> found;
    for (size_t at = 0; at < text.size();) {
      const size_t end = GraphemeEnd(text, at);
      found.emplace_back(text.substr(at, end - at));
      at = end;
    }
    return found;
  };
  EXPECT_THAT(clusters("a\r\n\n"), ElementsAre("a", "\r\n", "\n"));
  EXPECT_THAT(clusters("e\u0301\u200db"), ElementsAre("e\u0301\u200d", "b"));
  EXPECT_THAT(clusters("\n\u0301"), ElementsAre("\n", "\u0301"));
  EXPECT_THAT(clusters("\u0600a"), ElementsAre("\u0600a"));
  EXPECT_THAT(clusters("🇩🇪🇫🇷🇩"), ElementsAre("🇩🇪", "🇫🇷", "🇩"));
  EXPECT_THAT(clusters("❤\ufe0f\u200d🔥a"), ElementsAre("❤\ufe0f\u200d🔥", "a"));
  EXPECT_THAT(clusters("a\u200d🔥"), ElementsAre("a\u200d", "🔥"));
  EXPECT_THAT(clusters("\u1100\u1161\u11a8각\u1161"),
              ElementsAre("\u1100\u1161\u11a8", "각", "\u1161"));
}

// A damaged double array may point anywhere.
TEST(CharsmapTest, DamagedArraysAreSurvived) {
  std::mt19937 random(11);
  const nlohmann::json unigram =
      nlohmann::json::parse(*base::ReadFile("tests/golden/tokenizer/unigram.json", 1 << 20));
  std::string bytes;
  ASSERT_TRUE(absl::Base64Unescape(unigram["normalizer"]["precompiled_charsmap"].get<std::string>(),
                                   &bytes));
  for (int i = 0; i < 200; ++i) {
    std::string damaged = bytes;
    for (int changes = 0; changes < 40; ++changes) {
      damaged[4 + random() % (damaged.size() - 4)] = static_cast<char>(random());
    }
    const nlohmann::json section = {{"type", "Precompiled"},
                                    {"precompiled_charsmap", absl::Base64Escape(damaged)}};
    const auto normalizer = MakeNormalizer(JsonNode(section));
    if (!normalizer.ok()) continue;
    std::string out;
    (*normalizer)->Normalize("½ a\u0301 \r\n ﬁ ㎏ é \u00a0", out);
    EXPECT_TRUE(IsValidUtf8(out));
  }
}

std::vector<int32_t> Cut(const std::string& model, absl::string_view word) {
  const auto section = nlohmann::json::parse(model);
  const auto made = MakeModel(JsonNode(section), /*byte_level=*/false);
  EXPECT_TRUE(made.ok()) << made.status();
  std::vector<int32_t> ids;
  (*made)->Tokenize(word, ids);
  return ids;
}

TEST(UnigramTest, BestSumOfScores) {
  const std::string model = R"({"type": "Unigram", "unk_id": 0, "vocab": [["?", 0], ["a", 0],
      ["b", 0], ["c", 0], ["d", 0], ["cd", 1], ["ab", 2], ["abc", 5], ["abcd", 10]]})";
  EXPECT_THAT(Cut(model, "abcdacdxx"), ElementsAre(8, 1, 5, 0));
  // The unknown token spelled out is known, unless unknown ones stand beside it.
  EXPECT_THAT(Cut(model, "a?b"), ElementsAre(1, 0, 2));
}

TEST(UnigramTest, EqualSumsAndTheSameTokenTwice) {
  const std::string model = R"({"type": "Unigram", "unk_id": 0, "vocab": [["?", 0], ["a", -1],
      ["aa", -2], ["b", -5], ["b", -1]]})";
  EXPECT_THAT(Cut(model, "aaa"), ElementsAre(1, 2));
  EXPECT_THAT(Cut(model, "ab"), ElementsAre(1, 4));
}

TEST(UnigramTest, BytesInThePlaceOfUnknown) {
  const std::string model = R"({"type": "Unigram", "unk_id": 0, "byte_fallback": true, "vocab": [
      ["?", 0], ["a", -1], ["<0xC3>", -9], ["<0xA9>", -9]]})";
  EXPECT_THAT(Cut(model, "aéa"), ElementsAre(1, 2, 3, 1));
  // All of a row, or none.
  EXPECT_THAT(Cut(model, "aéxa"), ElementsAre(1, 0, 1));
}

TEST(BpeTest, SuffixPrefixAndLateUnknown) {
  const std::string model = R"({"type": "BPE", "unk_token": "?", "end_of_word_suffix": "$",
      "continuing_subword_prefix": "#", "vocab": {"?": 0, "a": 1, "#b": 2, "#b$": 3, "ab": 4,
      "ab$": 5, "a$": 6}, "merges": ["a #b", "a #b$"]})";
  EXPECT_THAT(Cut(model, "ab"), ElementsAre(5));
  EXPECT_THAT(Cut(model, "abb"), ElementsAre(4, 3));
  EXPECT_THAT(Cut(model, "a"), ElementsAre(6));
  EXPECT_THAT(Cut(model, "axb"), ElementsAre(1, 0, 3));
  // As the library has it: what is unknown waits for the next character that is known.
  EXPECT_THAT(Cut(R"({"type": "BPE", "unk_token": "?", "byte_fallback": true, "merges": [],
                      "vocab": {"?": 0, "a": 1, "<0xC3>": 2, "<0xA9>": 3}})",
                  "xéa"),
              ElementsAre(2, 3, 0, 1));
}

std::vector<std::string> Split(absl::string_view text) {
  WordList words;
  BertPreTokenizer().Split(text, words);
  return {words.list.begin(), words.list.end()};
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
        text, {},
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

TEST_F(AddedTokensTest, ATokenOfSpaceTakesItsNeighbours) {
  tokens_ = AddedTokens({{.id = 1, .content = " ", .rstrip = true}});
  EXPECT_EQ(Split("a  b"), "(a)11(b)");
  tokens_ = AddedTokens({{.id = 1, .content = " ", .lstrip = true, .rstrip = true}});
  EXPECT_EQ(Split("a  b   "), "(a)1(b)1");
}

TEST_F(AddedTokensTest, WhiteSpaceGoesAlong) {
  tokens_ = AddedTokens(
      {{.id = 1, .content = "<l>", .lstrip = true}, {.id = 2, .content = "<r>", .rstrip = true}});
  EXPECT_EQ(Split("a \u3000<l> b <r>\t<l>\u00a0c"), "(a)1( b )21(\u00a0c)");
}

}  // namespace
}  // namespace terminus::tokenizer
