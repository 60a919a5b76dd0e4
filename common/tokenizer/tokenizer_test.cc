#include "common/tokenizer/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "common/base/errors.h"
#include "common/base/file.h"
#include "common/base/temp_folder.h"
#include "common/settings/collector.h"

namespace terminus::tokenizer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Json = nlohmann::json;

Json SmallDocument() {
  return Json::parse(R"({
    "added_tokens": [{"id": 1, "content": "[CLS]", "special": true, "normalized": false},
                     {"id": 9, "content": "New York", "special": false, "normalized": true}],
    "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                   "strip_accents": null, "lowercase": true},
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": {"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}},
                 {"Sequence": {"id": "A", "type_id": 0}},
                 {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
      "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [1], "tokens": ["[CLS]"]},
                         "[SEP]": {"id": "[SEP]", "ids": [2], "tokens": ["[SEP]"]}}},
    "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
              "max_input_chars_per_word": 8,
              "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "un": 3, "##aff": 4, "##able": 5,
                        "cat": 6, "!": 7, "##s": 8}}
  })");
}

Json Unigram(const std::vector<std::vector<Json>>& vocabulary, const Json& unknown) {
  return {{"type", "Unigram"}, {"vocab", vocabulary}, {"unk_id", unknown}};
}

std::vector<int32_t> Ids(const Json& document, absl::string_view text) {
  const auto tokenizer = Tokenizer::FromJson(document.dump());
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  const auto encoding = (*tokenizer)->Encode(text);
  EXPECT_TRUE(encoding.ok()) << encoding.status();
  EXPECT_FALSE(encoding->truncated);
  EXPECT_EQ(encoding->full_length, encoding->ids.size());
  return encoding->ids;
}

TEST(TokenizerTest, LongestPiecesFirst) {
  const Json document = SmallDocument();
  EXPECT_THAT(Ids(document, ""), ElementsAre(1, 2));
  EXPECT_THAT(Ids(document, "Unaffs CATS!"), ElementsAre(1, 3, 4, 8, 6, 8, 7, 2));
  EXPECT_THAT(Ids(document, "catx ünable"), ElementsAre(1, 0, 3, 5, 2));
  EXPECT_THAT(Ids(document, "catssssss catsssss"), ElementsAre(1, 0, 6, 8, 8, 8, 8, 8, 2));
  EXPECT_THAT(Ids(document, "able"), ElementsAre(1, 0, 2));
}

TEST(TokenizerTest, AddedTokensInTheText) {
  EXPECT_THAT(Ids(SmallDocument(), "cat[CLS]new yorks"), ElementsAre(1, 6, 1, 9, 0, 2));
}

TEST(TokenizerTest, SizeCoversAddedTokens) {
  const auto tokenizer = Tokenizer::FromJson(SmallDocument().dump());
  ASSERT_TRUE(tokenizer.ok());
  EXPECT_EQ((*tokenizer)->vocabulary_size(), 10);
  EXPECT_EQ((*tokenizer)->template_tokens(), 2u);
}

TEST(TokenizerTest, TruncationKeepsTheTemplate) {
  const auto tokenizer = Tokenizer::FromJson(SmallDocument().dump());
  ASSERT_TRUE(tokenizer.ok());
  const auto exact = (*tokenizer)->Encode("cats!", 5);
  ASSERT_TRUE(exact.ok());
  EXPECT_THAT(exact->ids, ElementsAre(1, 6, 8, 7, 2));
  EXPECT_FALSE(exact->truncated);
  const auto cut = (*tokenizer)->Encode("cats!", 4);
  ASSERT_TRUE(cut.ok());
  EXPECT_THAT(cut->ids, ElementsAre(1, 6, 8, 2));
  EXPECT_TRUE(cut->truncated);
  EXPECT_EQ(cut->full_length, 5u);
  EXPECT_THAT((*tokenizer)->Encode("cats!", 2)->ids, ElementsAre(1, 2));
  EXPECT_EQ((*tokenizer)->Encode("cats!", 1).status().message(),
            "limit of 1 tokens: expected at least the 2 that every text gets");
}

TEST(TokenizerTest, BadUtf8IsRefused) {
  const auto tokenizer = Tokenizer::FromJson(SmallDocument().dump());
  ASSERT_TRUE(tokenizer.ok());
  const auto encoding = (*tokenizer)->Encode("cat\xed\xa0\x80");
  EXPECT_EQ(base::Reason(encoding.status()), base::kReasonInvalidUtf8);
  EXPECT_THAT(std::string(encoding.status().message()), HasSubstr("offset 3"));
}

TEST(TokenizerTest, BertProcessingIsATemplateToo) {
  Json document = SmallDocument();
  document["post_processor"] = {
      {"type", "BertProcessing"}, {"sep", {"[SEP]", 2}}, {"cls", {"[CLS]", 1}}};
  EXPECT_THAT(Ids(document, "cat"), ElementsAre(1, 6, 2));
  document["post_processor"] = nullptr;
  EXPECT_THAT(Ids(document, "cat"), ElementsAre(6));
}

TEST(TokenizerTest, RobertaProcessingInASequence) {
  Json document = SmallDocument();
  const Json roberta = {
      {"type", "RobertaProcessing"}, {"sep", {"[SEP]", 2}}, {"cls", {"[CLS]", 1}}};
  const Json inner = {{"type", "Sequence"}, {"processors", {{{"type", "ByteLevel"}}, roberta}}};
  document["post_processor"] = {{"type", "Sequence"}, {"processors", Json::array({inner})}};
  EXPECT_THAT(Ids(document, "cat"), ElementsAre(1, 6, 2));
}

TEST(TokenizerTest, TheFileSaysWhichEndIsDropped) {
  Json document = SmallDocument();
  document["truncation"] = {{"direction", "Left"}, {"max_length", 100}};
  const auto tokenizer = Tokenizer::FromJson(document.dump());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  const auto cut = (*tokenizer)->Encode("cats!", 4);
  ASSERT_TRUE(cut.ok());
  EXPECT_THAT(cut->ids, ElementsAre(1, 8, 7, 2));
  EXPECT_TRUE(cut->truncated);
  EXPECT_EQ(cut->full_length, 5u);
}

// Older files leave it out.
TEST(TokenizerTest, KindOfTheModelByWhatItHas) {
  Json document = SmallDocument();
  document["model"].erase("type");
  EXPECT_THAT(Ids(document, "cats"), ElementsAre(1, 6, 8, 2));
  document = {{"model", {{"vocab", {{"a", 0}, {"b", 1}, {"ab", 2}}}, {"merges", {"a b"}}}}};
  EXPECT_THAT(Ids(document, "aab"), ElementsAre(0, 2));
  document = Json::object();
  document["model"] = Unigram({{"?", 0}, {"a", -1}}, 0);
  document["model"].erase("type");
  EXPECT_THAT(Ids(document, "aba"), ElementsAre(1, 0, 1));
}

TEST(TokenizerTest, AnUnsupportedDecoderIsNamedOnceItIsNeeded) {
  Json document = SmallDocument();
  document["decoder"] = {{"type", "Morse"}};
  const auto tokenizer = Tokenizer::FromJson(document.dump());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_THAT((*tokenizer)->Encode("cat")->ids, ElementsAre(1, 6, 2));
  const auto text = (*tokenizer)->Decode({6}, false);
  EXPECT_EQ(text.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(text.status().message()),
              HasSubstr("decoder.type: found \"Morse\", expected one of the supported BPEDecoder"));
  const auto generating = Tokenizer::FromDocument(document, {.decodes = true});
  EXPECT_EQ(generating.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(generating.status().message()), HasSubstr("decoder.type: found"));
}

TEST(TokenizerTest, PaddingAndTruncationOfTheFileAreIgnored) {
  Json document = SmallDocument();
  document["truncation"] = {{"max_length", 3}, {"strategy", "LongestFirst"}, {"stride", 0}};
  document["padding"] = {{"strategy", {{"Fixed", 8}}}};
  EXPECT_THAT(Ids(document, "cats!"), ElementsAre(1, 6, 8, 7, 2));
}

// Twelve sequences inside each other.
Json Nested(const char* key) {
  Json section = {{"type", "Sequence"}, {key, Json::array()}};
  for (int i = 0; i < 11; ++i) section = {{"type", "Sequence"}, {key, Json::array({section})}};
  return section;
}

struct Fault {
  const char* place;  // JSON pointer
  Json value;
  const char* message;
};

TEST(TokenizerTest, FaultsNameThePathAndWhatIsSupported) {
  const Fault faults[] = {
      {"/normalizer/type", "Casefold",
       "normalizer.type: found \"Casefold\", expected one of the supported BertNormalizer"},
      {"/normalizer",
       {{"type", "Precompiled"}, {"precompiled_charsmap", "?"}},
       "normalizer.precompiled_charsmap: this is not base64"},
      {"/normalizer",
       {{"type", "Precompiled"}, {"precompiled_charsmap", "CAAAAAAAAAA="}},
       "normalizer.precompiled_charsmap: its double array is cut off or empty"},
      {"/normalizer",
       {{"type", "Replace"}, {"pattern", {{"String", ""}}}, {"content", ""}},
       "normalizer.pattern.String: found \"\", expected text that is not empty"},
      {"/normalizer", Nested("normalizers"), "at most 8 sequences inside each other"},
      {"/normalizer/lowercase", 1, "normalizer.lowercase: found 1, expected true or false"},
      {"/pre_tokenizer", 1, "pre_tokenizer: found 1, expected an object"},
      {"/pre_tokenizer/type", "UnicodeScripts", "expected one of the supported BertPreTokenizer"},
      {"/pre_tokenizer", Nested("pretokenizers"), "at most 8 sequences inside each other"},
      {"/pre_tokenizer",
       {{"type", "Metaspace"}, {"replacement", "ab"}},
       "pre_tokenizer.replacement: found \"ab\", expected one character"},
      {"/pre_tokenizer",
       {{"type", "Metaspace"}, {"replacement", "_"}, {"prepend_scheme", "last"}},
       "pre_tokenizer.prepend_scheme: found \"last\", expected always, first or never"},
      {"/pre_tokenizer",
       {{"type", "Metaspace"}, {"replacement", "_"}, {"add_prefix_space", false}},
       "expected never, as add_prefix_space is false"},
      {"/pre_tokenizer",
       {{"type", "Metaspace"}, {"replacement", "_"}, {"prepend_scheme", "first"}},
       "pre_tokenizer: prepend_scheme first is not supported behind a normalizer that may drop"},
      {"/pre_tokenizer",
       {{"type", "Split"}, {"pattern", {{"Regex", "("}}}, {"behavior", "Removed"}},
       "pre_tokenizer.pattern: regular expression, at byte 1"},
      {"/pre_tokenizer",
       {{"type", "Split"}, {"pattern", {{"String", "x"}}}, {"behavior", "Kept"}},
       "pre_tokenizer.behavior: found \"Kept\", expected Removed"},
      {"/model/type", "WordLevel",
       "model.type: found \"WordLevel\", expected one of the supported BPE, Unigram, WordPiece"},
      {"/model/type", "Unigram", "model.vocab: found an object, expected an array"},
      {"/model", Unigram({{"a", 0.5}, {"b"}}, 0), "model.vocab: [1]: expected [token, score]"},
      {"/model", Unigram({{"a", 0.5}}, nullptr), "model.unk_id: found nothing"},
      {"/model", Unigram({{"a", 0.5}}, 1),
       "model.unk_id: found 1, expected the id of one of the 1"},
      {"/model/type", "BPE", "model.merges: found nothing, expected an array"},
      {"/model",
       {{"type", "BPE"},
        {"continuing_subword_prefix", "##"},
        {"vocab", {{"a", 0}, {"b", 1}}},
        {"merges", {"a b"}}},
       "model.merges[0]: \"a\", \"b\" and both joined must be in model.vocab"},
      {"/model",
       {{"type", "BPE"}, {"vocab", {{"a", 0}}}, {"merges", {"a b"}}},
       "model.merges[0]: \"a\", \"b\" and both joined must be in model.vocab"},
      {"/model",
       {{"type", "BPE"}, {"vocab", {{"a", 0}}}, {"merges", {"a"}}},
       "model.merges[0]: found \"a\", expected two tokens"},
      {"/model",
       {{"type", "BPE"}, {"vocab", {{"a", 4194304}}}, {"merges", Json::array()}},
       "ids up to 4194304, at most 4194303"},
      {"/model/vocab", Json::array(), "model.vocab: found an array of 0, expected an object"},
      {"/model/vocab/cat", -1, "model.vocab.cat: found -1, expected a whole number from 0 to"},
      {"/model/vocab/cat", 4294967296, "model.vocab.cat: found 4294967296"},
      {"/model/vocab/cat", 2147483647, "model.vocab.cat: found 2147483647"},
      {"/model/unk_token", "<unk>", "model.unk_token: \"<unk>\" is not in model.vocab"},
      {"/model/max_input_chars_per_word", "x", "model.max_input_chars_per_word: found \"x\""},
      {"/post_processor/type", "PairProcessing", "BertProcessing, ByteLevel, RobertaProcessing"},
      {"/post_processor/type", "RobertaProcessing", "post_processor.cls: found nothing"},
      {"/post_processor", Nested("processors"), "at most 8 sequences inside each other"},
      {"/truncation", {{"direction", "Up"}}, "truncation.direction: found \"Up\""},
      {"/post_processor/single/1", Json::object(),
       "post_processor.single[1]: found an object, expected {\"SpecialToken\""},
      {"/post_processor/single/0",
       {{"Sequence", {{"id", "A"}, {"type_id", 0}}}},
       "post_processor.single: found 2 sequences, expected exactly one"},
      {"/post_processor/single/1/Sequence/type_id", 1,
       "post_processor.single[1].Sequence.type_id: found 1, expected the supported 0"},
      {"/post_processor/special_tokens/[SEP]", nullptr,
       "post_processor.special_tokens.[SEP]: found nothing, expected an object"},
      {"/added_tokens/0/id", 5,
       "added_tokens[0].id: found 5, expected 1, which the model's vocabulary gives \"[CLS]\""},
      {"/added_tokens/1/id", 12,
       "added_tokens[1].id: found 12, expected 9, the next behind the model's vocabulary"},
      {"/added_tokens/1/content", "\u0301", "added_tokens[1]: added token"},
      {"/added_tokens", "x", "added_tokens: found \"x\", expected an array"},
  };
  for (const Fault& fault : faults) {
    Json document = SmallDocument();
    document[Json::json_pointer(fault.place)] = fault.value;
    const auto tokenizer = Tokenizer::FromJson(document.dump());
    EXPECT_EQ(tokenizer.status().code(), absl::StatusCode::kInvalidArgument) << fault.place;
    EXPECT_THAT(std::string(tokenizer.status().message()), HasSubstr(fault.message));
  }
}

TEST(TokenizerTest, AnEmptyTokenIsRefused) {
  Json document = SmallDocument();
  document["model"]["vocab"][""] = 12;
  EXPECT_EQ(Tokenizer::FromJson(document.dump()).status().message(),
            "model.vocab: found an empty token");
}

TEST(TokenizerTest, LoadNamesTheFile) {
  EXPECT_EQ(Tokenizer::Load("/nowhere/tokenizer.json").status().code(),
            absl::StatusCode::kNotFound);
  const base::TempFolder folder;
  const std::string path = folder.Path("tokenizer_test.json");
  ASSERT_TRUE(base::WriteFileAtomic(path, "[]").ok());
  EXPECT_EQ(Tokenizer::Load(path).status().message(),
            path + ": found an array of 0, expected an object");
}

// Whatever stands in the file, there is an error or a tokenizer that works.
TEST(TokenizerTest, SurvivesDamagedFiles) {
  const settings::Collector warnings;  // of damaged keys
  const std::string whole = SmallDocument().dump();
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(Tokenizer::FromJson(whole.substr(0, length)).ok()) << length;
  }
  std::mt19937 random(3);
  for (int i = 0; i < 300; ++i) {
    std::string damaged = whole;
    for (int changes = 1 + i % 3; changes > 0; --changes) {
      damaged[random() % damaged.size()] = whole[random() % whole.size()];
    }
    const auto tokenizer = Tokenizer::FromJson(damaged);
    if (tokenizer.ok()) {
      EXPECT_TRUE((*tokenizer)->Encode("[CLS] Unaffable, cats! New York").ok()) << damaged;
    }
  }
}

}  // namespace
}  // namespace terminus::tokenizer
