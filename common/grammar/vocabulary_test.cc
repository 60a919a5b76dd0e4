#include "common/grammar/vocabulary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "common/tokenizer/byte_level.h"
#include "common/tokenizer/tokenizer.h"
#include "common/tokenizer/utf8.h"

namespace terminus::grammar {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

constexpr char kByteLevel[] = R"({"type": "ByteLevel"})";
constexpr char kLlama[] = R"({"type": "Sequence", "decoders": [
    {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
    {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]})";
constexpr char kMetaspace[] =
    R"({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true})";
constexpr char kBlanks[] = "null";
constexpr char kWordPiece[] = R"({"type": "WordPiece", "prefix": "##", "cleanup": false})";

// A tokenizer with these words, a token for each byte in both spellings, and at the end a token
// that is added and one that is special.
std::unique_ptr<const tokenizer::Tokenizer> Make(const std::string& decoder) {
  std::vector<std::string> words = {"▁",   "▁▁", "▁a",  "a▁b",   "the", "▁the",
                                    "{\"", "é",  "▁日", "##ing", " x",  "\ufffd"};
  for (int byte = 0; byte < 256; ++byte) {
    words.push_back(absl::StrFormat("<0x%02X>", byte));
    words.push_back(tokenizer::CharacterOfByte(static_cast<unsigned char>(byte)));
  }
  Json vocabulary;
  for (const std::string& word : words) {
    if (!vocabulary.contains(word)) vocabulary[word] = vocabulary.size();
  }
  const int next = static_cast<int>(vocabulary.size());
  const Json document = {
      {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", Json::array()}}},
      {"decoder", Json::parse(decoder)},
      {"added_tokens",
       {{{"id", next}, {"content", "<think>"}, {"special", false}},
        {{"id", next + 1}, {"content", "</s>"}, {"special", true}}}}};
  auto made = tokenizer::Tokenizer::FromJson(document.dump());
  EXPECT_TRUE(made.ok()) << made.status();
  return *std::move(made);
}

// What the tokenizer makes of tokens is what their bytes say, with what it drops in front.
TEST(Vocabulary, BytesAreThoseOfTheDecoder) {
  std::mt19937 random(1);
  for (const char* decoder : {kByteLevel, kLlama, kMetaspace, kBlanks, kWordPiece}) {
    const auto tokenizer = Make(decoder);
    const int size = tokenizer->vocabulary_size();
    const auto vocabulary = Vocabulary::Create(*tokenizer, size, {size - 1});
    ASSERT_TRUE(vocabulary.ok()) << decoder << ": " << vocabulary.status();
    const std::vector<int32_t>& not_first = (*vocabulary)->not_first();
    int compared = 0;
    for (int round = 0; round < 20'000; ++round) {
      std::vector<int32_t> tokens;
      std::string bytes;
      for (unsigned i = 0; i < 1 + random() % 5; ++i) {
        tokens.push_back(static_cast<int32_t>(random() % static_cast<unsigned>(size)));
        bytes += (*vocabulary)->BytesOf(tokens.back());
      }
      if (std::binary_search(not_first.begin(), not_first.end(), tokens[0]) ||
          (*vocabulary)->BytesOf(tokens[0]).empty() ||
          !absl::StartsWith(bytes, (*vocabulary)->lead()) || !tokenizer::IsValidUtf8(bytes)) {
        continue;
      }
      ++compared;
      const auto text = tokenizer->Decode(tokens, /*skip_special_tokens=*/true);
      ASSERT_TRUE(text.ok()) << text.status();
      EXPECT_EQ(*text, bytes.substr((*vocabulary)->lead().size())) << decoder;
    }
    EXPECT_GT(compared, 100) << decoder;
  }
}

TEST(Vocabulary, LeadsOfTokenizers) {
  const std::pair<const char*, const char*> cases[] = {
      {kByteLevel, ""}, {kLlama, " "}, {kMetaspace, " "}, {kBlanks, " "}, {kWordPiece, " "}};
  for (const auto& [decoder, lead] : cases) {
    const auto tokenizer = Make(decoder);
    const int size = tokenizer->vocabulary_size();
    EXPECT_EQ((*Vocabulary::Create(*tokenizer, size, {size - 1}))->lead(), lead) << decoder;
  }
}

TEST(Vocabulary, TokensWithoutText) {
  const auto tokenizer = Make(kByteLevel);
  const int size = tokenizer->vocabulary_size();
  const auto vocabulary = Vocabulary::Create(*tokenizer, size + 10, {size - 1, size + 10, -1});
  ASSERT_TRUE(vocabulary.ok()) << vocabulary.status();
  EXPECT_EQ((*vocabulary)->size(), size + 10);
  EXPECT_EQ((*vocabulary)->BytesOf(size - 2), "<think>");
  EXPECT_EQ((*vocabulary)->BytesOf(size - 1), "");
  EXPECT_EQ((*vocabulary)->BytesOf(size + 9), "");
  EXPECT_EQ((*vocabulary)->end_tokens(), (std::vector<int32_t>{size - 1}));
  const auto smaller = Vocabulary::Create(*tokenizer, 10, {3});
  ASSERT_TRUE(smaller.ok()) << "a model may have fewer rows than its tokenizer has tokens";
  EXPECT_EQ((*smaller)->size(), 10);
}

TEST(Vocabulary, WhatFollowsNoGrammarIsRefused) {
  const auto bpe = Make(R"({"type": "BPEDecoder", "suffix": "</w>"})");
  const auto dependent = Vocabulary::Create(*bpe, bpe->vocabulary_size(), {0});
  EXPECT_EQ(dependent.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(dependent.status().message()), HasSubstr("tokens behind it"));
  const auto byte_level = Make(kByteLevel);
  const auto endless = Vocabulary::Create(*byte_level, byte_level->vocabulary_size(), {});
  EXPECT_EQ(endless.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(endless.status().message()), HasSubstr("end-of-sequence"));
}

}  // namespace
}  // namespace terminus::grammar
