// What the library "tokenizers" makes of the same input; tests/golden/tokenizer/make_goldens.py
// writes it down.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/base/file.h"
#include "common/tokenizer/bert_normalizer.h"
#include "common/tokenizer/golden_files.h"
#include "common/tokenizer/incremental_decoder.h"
#include "common/tokenizer/tokenizer.h"
#include "common/tokenizer/utf8.h"

namespace terminus::tokenizer {
namespace {

using Json = nlohmann::json;

struct Variant {
  const char* name;
  BertNormalizer::Options options;
};

// As in make_goldens.py.
constexpr Variant kVariants[] = {
    {"uncased", {true, true, true, true}},
    {"cased", {true, true, false, false}},
    {"accents", {true, true, false, true}},
    {"bare", {false, false, true, false}},
};

std::vector<Json> ReadTexts() { return ReadGoldenLines("texts.jsonl", 300u); }

void ExpectSame(const Tokenizer& tokenizer, const Json& line, const char* key) {
  const auto text = line.at("text").get<std::string>();
  const auto expected = line.at(key).get<std::vector<int32_t>>();
  const auto encoding = tokenizer.Encode(text);
  ASSERT_TRUE(encoding.ok()) << encoding.status();
  EXPECT_EQ(encoding->ids, expected) << key << ": " << text;

  const size_t limit = 2 + expected.size() / 2;
  std::vector<int32_t> cut = expected;
  if (cut.size() > limit) cut.erase(cut.begin() + limit - 1, cut.end() - 1);
  const auto truncated = tokenizer.Encode(text, limit);
  ASSERT_TRUE(truncated.ok()) << truncated.status();
  EXPECT_EQ(truncated->ids, cut);
  EXPECT_EQ(truncated->full_length, expected.size());
  EXPECT_EQ(truncated->truncated, expected.size() > limit);
}

TEST(TokenizerGoldenTest, SmallVocabularyInEachVariant) {
  Json document = ReadGoldenJson("tokenizer.json");
  for (const Variant& variant : kVariants) {
    document["normalizer"] = {{"type", "BertNormalizer"},
                              {"clean_text", variant.options.clean_text},
                              {"handle_chinese_chars", variant.options.handle_chinese_chars},
                              {"strip_accents", variant.options.strip_accents},
                              {"lowercase", variant.options.lowercase}};
    const auto tokenizer = Tokenizer::FromJson(document.dump());
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    for (const Json& line : ReadTexts()) ExpectSame(**tokenizer, line, variant.name);
  }
}

// As in make_bpe_goldens.py.
const Json& BpeVariants() {
  static const Json variants = Json::parse(R"JSON({
    "gpt2": {"type": "ByteLevel", "add_prefix_space": false},
    "digits": {"type": "Sequence", "pretokenizers": [
      {"type": "Digits", "individual_digits": true},
      {"type": "ByteLevel", "add_prefix_space": false}]},
    "split": {"type": "Sequence", "pretokenizers": [
      {"type": "Split", "behavior": "Isolated", "invert": false, "pattern": {"Regex":
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}},
      {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]},
    "prefix": {"type": "ByteLevel", "add_prefix_space": true},
    "classes": {"type": "Sequence", "pretokenizers": [
      {"type": "WhitespaceSplit"},
      {"type": "Punctuation", "behavior": "MergedWithPrevious"},
      {"type": "Digits", "individual_digits": false},
      {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]},
    "whitespace": {"type": "Sequence", "pretokenizers": [
      {"type": "Whitespace"},
      {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]}
  })JSON");
  return variants;
}

TEST(TokenizerGoldenTest, ByteLevelBpeInEachVariant) {
  Json document = ReadGoldenJson("bpe.json");
  for (const auto& [name, variant] : BpeVariants().items()) {
    document["pre_tokenizer"] = variant;
    const auto tokenizer = Tokenizer::FromJson(document.dump());
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    for (const Json& line : ReadGoldenLines("bpe_texts.jsonl", 300u)) {
      const auto encoding = (*tokenizer)->Encode(line.at("text").get<std::string>());
      ASSERT_TRUE(encoding.ok()) << encoding.status();
      EXPECT_EQ(encoding->ids, line.at(name).get<std::vector<int32_t>>())
          << name << ": " << line.at("text");
    }
  }
}

TEST(TokenizerGoldenTest, ByteLevelDecoder) {
  const auto tokenizer = Tokenizer::FromJson(ReadGoldenJson("bpe.json").dump());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  for (const Json& line : ReadGoldenLines("bpe_texts.jsonl", 300u)) {
    const auto ids = line.at("gpt2").get<std::vector<int32_t>>();
    EXPECT_EQ(*(*tokenizer)->Decode(ids, true), line.at("decoded").get<std::string>());
    const auto tail = absl::MakeConstSpan(ids).subspan(ids.size() / 2);
    EXPECT_EQ(*(*tokenizer)->Decode(tail, false), line.at("tail").get<std::string>());

    const auto random = line.at("random").get<std::vector<int32_t>>();
    const auto random_text = line.at("random_text").get<std::string>();
    EXPECT_EQ(*(*tokenizer)->Decode(random, false), random_text);
    IncrementalDecoder decoder(tokenizer->get(), /*skip_special_tokens=*/false);
    std::string pieces;
    for (const int32_t id : random) pieces += *decoder.Push(id);
    EXPECT_EQ(pieces + decoder.Flush(), random_text);
  }
}

TEST(TokenizerGoldenTest, FullVocabularyOfTheDefaultBundle) {
  const char* const home = std::getenv("TERMINUS_HOME");
  const std::string path =
      (home != nullptr ? std::string(home)
                       : std::string(std::getenv("HOME")) + "/.cache/terminus") +
      "/bundles/default/text/tokenizer.json";
  if (!std::filesystem::exists(path))
    GTEST_SKIP() << path << " is not there; scripts/setup makes it";
  const auto tokenizer = Tokenizer::Load(path);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ((*tokenizer)->vocabulary_size(), 30522);
  for (const Json& line : ReadTexts()) ExpectSame(**tokenizer, line, "full");
}

TEST(TokenizerGoldenTest, EveryCodePoint) {
  constexpr char32_t kBlock = 0x4000;
  const Json golden = ReadGoldenJson("code_points.json");
  for (const Variant& variant : kVariants) {
    const BertNormalizer normalizer(variant.options);
    const auto expected = golden.at(variant.name).get<std::vector<std::string>>();
    ASSERT_EQ(expected.size(), kCodePoints / kBlock);
    for (char32_t first = 0; first < kCodePoints; first += kBlock) {
      std::string all;
      for (char32_t c = first; c < first + kBlock; ++c) {
        if (0xd800 <= c && c < 0xe000) continue;
        std::string text = "a";
        AppendUtf8(c, text);
        normalizer.Normalize(text + "b", all);
        all += '\n';
      }
      if (!all.empty()) all.pop_back();
      EXPECT_EQ(Fnv1a(all), std::stoull(expected[first / kBlock], nullptr, 16))
          << variant.name << ", code points from " << static_cast<uint32_t>(first);
    }
  }
}

}  // namespace
}  // namespace terminus::tokenizer
