#include "common/tokenizer/decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/tokenizer/json_node.h"

namespace terminus::tokenizer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Json = nlohmann::json;

constexpr char kLlama[] = R"({"type": "Sequence", "decoders": [
    {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
    {"type": "ByteFallback"}, {"type": "Fuse"},
    {"type": "Strip", "content": " ", "start": 1, "stop": 0}]})";

std::unique_ptr<const Decoder> Make(const std::string& json) {
  const Json section = Json::parse(json);
  auto decoder = Decoder::FromJson(JsonNode(section));
  EXPECT_TRUE(decoder.ok()) << decoder.status();
  return *std::move(decoder);
}

// What each token brings, and the end.
std::vector<std::string> Pieces(const std::string& json, const std::vector<std::string>& tokens,
                                bool whole = false) {
  const auto decoder = Make(json);
  Decoder::Stream stream(decoder.get(), whole);
  std::vector<std::string> pieces;
  for (const std::string& token : tokens) stream.Push(token, pieces.emplace_back());
  stream.Flush(pieces.emplace_back());
  return pieces;
}

TEST(DecoderTest, OnlyTheFirstBlankIsStripped) {
  EXPECT_THAT(Pieces(kLlama, {"▁", "▁a", "▁b"}), ElementsAre("", " a", " b", ""));
  EXPECT_THAT(Pieces(kLlama, {"a", "▁b"}), ElementsAre("a", " b", ""));
}

TEST(DecoderTest, CharactersOfBytesComeOnceComplete) {
  EXPECT_THAT(Pieces(kLlama, {"<0x20>", "<0xC3>", "<0xA9>", "<0x41>", "x"}),
              ElementsAre("", "", "é", "A", "x", ""));
}

TEST(DecoderTest, BrokenBytesAreReplacedOneByOne) {
  const std::vector<std::string> tokens = {"<0xC3>", "<0xA9>", "<0xFF>", "<0x41>", "x", "<0xC3>"};
  EXPECT_THAT(Pieces(kLlama, tokens), ElementsAre("", "é", "\ufffd", "\ufffd", "x", "", "\ufffd"));
  EXPECT_THAT(Pieces(kLlama, tokens, /*whole=*/true),
              ElementsAre("", "", "", "", "\ufffd\ufffd\ufffd\ufffdx", "", "\ufffd"));
  EXPECT_THAT(Pieces(kLlama, {"<0xC3>", "<0x41>", "x"}), ElementsAre("", "\ufffd\ufffd", "x", ""));
}

TEST(DecoderTest, AFlushedStreamBeginsAgain) {
  const auto decoder = Make(kLlama);
  Decoder::Stream stream(decoder.get(), /*whole=*/false);
  for (int i = 0; i < 2; ++i) {
    std::string text;
    stream.Push("▁a", text);
    stream.Push("<0xC3>", text);
    stream.Flush(text);
    EXPECT_EQ(text, "a\ufffd");
  }
}

TEST(DecoderTest, WhatDependsOnTheLastTokenWaits) {
  EXPECT_THAT(Pieces(R"({"type": "BPEDecoder", "suffix": "</w>"})", {"a", "b</w>", "c</w>"}),
              ElementsAre("", "a", "b ", "c"));
}

TEST(DecoderTest, WhatDependsOnTheFirst) {
  EXPECT_THAT(Pieces("null", {"a", "b"}), ElementsAre("a", " b", ""));
  EXPECT_THAT(Pieces(R"({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"})",
                     {"▁a", "▁b"}),
              ElementsAre("a", " b", ""));
  EXPECT_THAT(Pieces(R"({"type": "WordPiece", "prefix": "##", "cleanup": true})",
                     {"un", "##able", "!", "do not"}),
              ElementsAre("un", "able", "!", " don't", ""));
}

// The whole text comes at the end, as these look at all tokens together or stand in an order that
// a stream has no place for.
TEST(DecoderTest, SomeTextsComeWithTheLastToken) {
  const auto sequence = [](const std::string& decoders) {
    return R"({"type": "Sequence", "decoders": [)" + decoders + "]}";
  };
  const std::string ctc =
      R"({"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": true})";
  EXPECT_THAT(Pieces(ctc, {"h", "h", "i", "<pad>", "i", "|", "|", "y"}),
              ElementsAre("", "", "", "", "", "", "", "", "hii y"));
  EXPECT_THAT(Pieces(sequence(R"({"type": "Fuse"}, {"type": "ByteFallback"})"), {"<0x41>", "b"}),
              ElementsAre("", "", "<0x41>b"));
  EXPECT_THAT(
      Pieces(sequence(R"({"type": "ByteFallback"}, {"type": "ByteLevel"})"), {"<0x41>", "\u0120b"}),
      ElementsAre("", "", "A b"));
  EXPECT_THAT(
      Pieces(sequence(R"({"type": "Fuse"}, {"type": "BPEDecoder", "suffix": "x"})"), {"ax", "bx"}),
      ElementsAre("", "", "ab"));
  EXPECT_THAT(Pieces(sequence(R"({"type": "Fuse"},
                                 {"type": "Strip", "content": "a", "start": 1, "stop": 2})"),
                     {"aab", "caa", "a"}),
              ElementsAre("", "", "", "abca"));
}

std::string FaultOf(const std::string& json) {
  const Json section = Json::parse(json);
  return std::string(Decoder::FromJson(JsonNode(section)).status().message());
}

TEST(DecoderTest, WhatIsNotSupportedIsNamed) {
  EXPECT_THAT(FaultOf(R"({"type": "Morse"})"), HasSubstr("type: found \"Morse\", expected one of"));
  EXPECT_THAT(FaultOf(R"({"type": "CTC", "pad_token": "a"})"),
              HasSubstr("word_delimiter_token: found nothing, expected a string"));
  EXPECT_THAT(FaultOf(R"({"type": "BPEDecoder", "suffix": ""})"),
              HasSubstr("suffix: found \"\", expected text that is not empty"));
}

}  // namespace
}  // namespace terminus::tokenizer
