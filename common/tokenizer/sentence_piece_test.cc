#include "common/tokenizer/sentence_piece.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "common/tokenizer/golden_files.h"
#include "common/tokenizer/python_text.h"
#include "common/tokenizer/python_token_trie.h"
#include "common/tokenizer/utf8.h"

namespace terminus::tokenizer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Piece = SentencePieceFile::Piece;
using Type = SentencePieceFile::Type;

SentencePieceFile SmallFile() {
  return {.pieces = {{.text = "<unk>", .type = Type::kUnknown},
                     {.text = "</s>", .type = Type::kControl},
                     {.text = "▁a", .score = -1},
                     {.text = "b", .score = -2}}};
}

std::string FaultOf(SentencePieceFile file) {
  const auto made = SentencePiece::Create(std::move(file));
  return made.ok() ? "" : std::string(made.status().message());
}

std::string FaultWith(Piece piece, bool byte_fallback = false) {
  SentencePieceFile file = SmallFile();
  file.pieces.push_back(std::move(piece));
  file.byte_fallback = byte_fallback;
  return FaultOf(std::move(file));
}

// A field of the wire format: bytes, or a number below 128.
std::string Field(int number, const std::string& bytes) {
  return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(bytes.size())} + bytes;
}
std::string Field(int number, char value) { return {static_cast<char>(number << 3), value}; }

TEST(SentencePieceTest, CutsText) {
  const auto made = SentencePiece::Create(SmallFile());
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_THAT(made->Encode(" ab xyb  "), ElementsAre("▁a", "b", "▁xy", "b"));
  EXPECT_THAT(made->Encode("  "), IsEmpty());
  // Reserved pieces are not found in text, but have ids.
  EXPECT_THAT(made->Encode("</s>"), ElementsAre("▁</s>"));
  EXPECT_EQ(made->IdOf("</s>"), 1);
  EXPECT_EQ(made->IdOf("xy"), 0);
}

TEST(SentencePieceTest, RefusesWhatTheLibraryRefuses) {
  EXPECT_EQ(FaultOf(SmallFile()), "");
  EXPECT_EQ(FaultWith({}), "pieces[4]: empty");
  EXPECT_EQ(FaultWith({.text = "b"}), "pieces[4]: \"b\" once more");
  EXPECT_EQ(FaultWith({.text = std::string("a\0b", 3)}), "pieces[4]: has a NUL");
  EXPECT_EQ(FaultWith({.text = "c", .score = std::numeric_limits<float>::infinity()}),
            "pieces[4]: its score is not finite");
  EXPECT_EQ(FaultWith({.text = std::string(8000, 'x')}), "pieces[4]: too long");
  EXPECT_EQ(FaultWith({.text = "x", .type = Type::kUnknown}),
            "pieces[4]: a second piece of the type UNKNOWN");
  EXPECT_THAT(FaultWith({.text = "<0x0A>", .type = Type::kByte}),
              HasSubstr("byte_fallback is false"));
  EXPECT_THAT(FaultWith({.text = "<0x0a>", .type = Type::kByte}, true),
              HasSubstr("as a byte is written"));
  EXPECT_EQ(FaultWith({.text = "<0x0A>", .type = Type::kByte}, true),
            "pieces: 1 bytes, expected 256");
  SentencePieceFile file = SmallFile();
  file.pieces.erase(file.pieces.begin());
  EXPECT_EQ(FaultOf(file), "pieces: none of the type UNKNOWN");
  file = SmallFile();
  file.charsmap = "abc";
  EXPECT_THAT(FaultOf(file), HasSubstr("normalizer_spec.precompiled_charsmap: "));
}

TEST(SentencePieceTest, RefusesFieldsByName) {
  const auto fault_of = [](const std::string& bytes) {
    const auto parsed = ParseSentencePieceFile(bytes);
    return parsed.ok() ? "" : std::string(parsed.status().message());
  };
  EXPECT_EQ(fault_of(Field(2, Field(3, 1)) + Field(4, "x") + Field(9, 3)), "");
  EXPECT_EQ(fault_of(Field(2, Field(3, 2))),
            "trainer_spec.model_type: 2, supported is 1 (UNIGRAM)");
  EXPECT_EQ(fault_of(Field(2, std::string{'\xc0', '\x01', '\x01'})),
            "trainer_spec.treat_whitespace_as_suffix: true, supported is false");
  EXPECT_EQ(fault_of(Field(3, Field(5, 0))),
            "normalizer_spec.escape_whitespaces: false, supported is true");
  EXPECT_EQ(fault_of(Field(1, Field(3, 9))), "pieces[0].type: damaged or cut off");
  EXPECT_EQ(fault_of(Field(1, Field(1, 9))), "pieces[0]: damaged or cut off");
  EXPECT_EQ(fault_of(Field(1, Field(1, "\xff"))), "pieces[0].piece: not UTF-8");
  EXPECT_EQ(fault_of(std::string("\x0a\x7f", 2)), "file: damaged or cut off");
}

TEST(SentencePieceTest, SurvivesDamagedFiles) {
  std::mt19937 random(5);
  int read = 0;
  for (const char* name : {"siglip.model", "siglip_bytes.model", "siglip_symbols.model"}) {
    const std::string whole = ReadGolden(name);
    for (int i = 0; i < 400; ++i) {
      std::string damaged = whole;
      for (int changes = 1 + i % 3; changes > 0; --changes) {
        damaged[random() % damaged.size()] = static_cast<char>(random() % 256);
      }
      if (i % 10 == 0) damaged.resize(random() % damaged.size());
      auto file = ParseSentencePieceFile(damaged);
      if (!file.ok()) continue;
      const auto made = SentencePiece::Create(*std::move(file));
      if (!made.ok()) continue;
      ++read;
      for (const std::string& piece : made->Encode(" The cat  é\ufeff ＡＢＣ ½ \U0001f600 x")) {
        EXPECT_TRUE(IsValidUtf8(piece)) << name;
        EXPECT_LT(made->IdOf(piece), made->pieces().size());
      }
    }
  }
  EXPECT_GT(read, 100);
}

TEST(PythonTokenTrieTest, FindsTokensAsTransformersDoes) {
  const PythonTokenTrie trie({"blowing", "lower", "low", "bc", "abcd", "cde", ""});
  EXPECT_THAT(trie.Split(""), IsEmpty());
  EXPECT_THAT(trie.Split("no"), ElementsAre("no"));
  EXPECT_THAT(trie.Split("blower"), ElementsAre("b", "lower"));
  EXPECT_THAT(trie.Split("lowlowerlow"), ElementsAre("low", "lower", "low"));
  EXPECT_THAT(trie.Split("é abcd"), ElementsAre("é ", "abcd"));
  EXPECT_THAT(trie.Split("abcde"), ElementsAre("abcd", "e"));
}

TEST(PythonTextTest, LowersTheCase) {
  EXPECT_EQ(PythonLower("ABC"), "abc");
  EXPECT_EQ(PythonLower("ΑΣ ΑΣΑ Σ İ"), "ας ασα σ i\u0307");
  // U+1E030 was assigned after Unicode 14, so it does not count as a letter after the sigma.
  EXPECT_EQ(PythonLower("ΑΣ\U0001e030Α"), "ας\U0001e030α");
}

TEST(PythonTextTest, StripsWhiteSpace) {
  EXPECT_EQ(StripBoth("\u00a0\x1c a\u200b \u3000\n"), "a\u200b");
  EXPECT_EQ(StripBoth("\u2028 "), "");
}

}  // namespace
}  // namespace terminus::tokenizer
