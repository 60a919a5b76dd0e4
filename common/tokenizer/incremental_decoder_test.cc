#include "common/tokenizer/incremental_decoder.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "common/tokenizer/byte_level.h"

namespace terminus::tokenizer {
namespace {

std::string CharacterOf(int byte) {
  for (int c = 0; c < 0x144; ++c) {
    std::string text;
    if (c < 0x80) {
      text.push_back(static_cast<char>(c));
    } else {
      text.push_back(static_cast<char>(0xc0 | c >> 6));
      text.push_back(static_cast<char>(0x80 | (c & 0x3f)));
    }
    if (BytesOfByteLevel(text) == std::string(1, static_cast<char>(byte))) return text;
  }
  return "";
}

// A token for each byte, and one special token behind them.
std::unique_ptr<const Tokenizer> Bytes() {
  nlohmann::json vocabulary;
  for (int byte = 0; byte < 256; ++byte) vocabulary[CharacterOf(byte)] = byte;
  const nlohmann::json document = {
      {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", nlohmann::json::array()}}},
      {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}},
      {"decoder", {{"type", "ByteLevel"}}},
      {"added_tokens", {{{"id", 256}, {"content", "<|end|>"}, {"special", true}}}}};
  auto tokenizer = Tokenizer::FromJson(document.dump());
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return *std::move(tokenizer);
}

TEST(IncrementalDecoderTest, NeverHalfACharacter) {
  const auto tokenizer = Bytes();
  IncrementalDecoder decoder(tokenizer.get());
  EXPECT_EQ(*decoder.Push(0xe2), "");
  EXPECT_EQ(*decoder.Push(0x82), "");
  EXPECT_EQ(*decoder.Push(0xac), "€");
  EXPECT_EQ(*decoder.Push('a'), "a");
  EXPECT_EQ(decoder.Flush(), "");
}

TEST(IncrementalDecoderTest, WhatCannotBecomeACharacterIsReplacedAtOnce) {
  const auto tokenizer = Bytes();
  IncrementalDecoder decoder(tokenizer.get());
  EXPECT_EQ(*decoder.Push(0xff), "\ufffd");
  EXPECT_EQ(*decoder.Push(0xe2), "");
  EXPECT_EQ(*decoder.Push('b'),
            "\ufffd"
            "b");
  EXPECT_EQ(*decoder.Push(0xf0), "");
  EXPECT_EQ(*decoder.Push(0x9f), "");
  EXPECT_EQ(decoder.Flush(), "\ufffd");
  EXPECT_EQ(decoder.Flush(), "");
}

TEST(IncrementalDecoderTest, SpecialTokensAreSkippedOrShown) {
  const auto tokenizer = Bytes();
  EXPECT_EQ(*tokenizer->Decode({'a', 256, 'b'}, true), "ab");
  EXPECT_EQ(*tokenizer->Decode({'a', 256, 'b'}, false), "a<|end|>b");
  EXPECT_EQ(tokenizer->TokenId("<|end|>"), 256);
  EXPECT_EQ(tokenizer->TokenId("nonesuch"), absl::nullopt);
}

TEST(IncrementalDecoderTest, UnknownIdsAreRefused) {
  const auto tokenizer = Bytes();
  EXPECT_EQ(tokenizer->Decode({-1}, true).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(tokenizer->Decode({257}, true).status().code(), absl::StatusCode::kInvalidArgument);
  IncrementalDecoder decoder(tokenizer.get());
  EXPECT_FALSE(decoder.Push(999).ok());
}

TEST(IncrementalDecoderTest, PiecesMakeTheWhole) {
  const auto tokenizer = Bytes();
  std::mt19937 random(7);
  // Bytes that often make and break characters.
  const std::vector<int32_t> interesting = {'a',  0x80, 0xbf, 0xc2, 0xc0, 0xe0, 0xa0, 0x9f,
                                            0xed, 0xf0, 0x90, 0xf4, 0x8f, 0xf5, 0xe2, 256};
  for (int round = 0; round < 2000; ++round) {
    std::vector<int32_t> ids(random() % 12);
    for (int32_t& id : ids) id = interesting[random() % interesting.size()];
    IncrementalDecoder decoder(tokenizer.get());
    std::string text;
    for (const int32_t id : ids) text += *decoder.Push(id);
    text += decoder.Flush();
    EXPECT_EQ(text, *tokenizer->Decode(ids, true));
  }
}

}  // namespace
}  // namespace terminus::tokenizer
