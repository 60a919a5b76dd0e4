// What the library "tokenizers" makes of the same input, for every kind of file beyond those of
// golden_test.cc; tests/golden/tokenizer/make_kind_goldens.py writes it down.

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "absl/strings/str_format.h"
#include "common/base/file.h"
#include "common/tokenizer/golden_files.h"
#include "common/tokenizer/incremental_decoder.h"
#include "common/tokenizer/tokenizer.h"
#include "common/tokenizer/utf8.h"

namespace terminus::tokenizer {
namespace {

using Json = nlohmann::json;

// Each variant's file: one of those that are there, some of its sections replaced.
std::map<std::string, Json> Documents() {
  std::map<std::string, Json> documents;
  const Json variants = ReadGoldenJson("kinds.json");
  for (const auto& [name, variant] : variants.items()) {
    documents[name] = ReadVariant(variant);
  }
  EXPECT_GE(documents.size(), 16u);
  return documents;
}

std::string DecodeOneByOne(const Tokenizer& tokenizer, absl::Span<const int32_t> ids,
                           bool skip_special_tokens) {
  IncrementalDecoder decoder(&tokenizer, skip_special_tokens);
  std::string text;
  for (const int32_t id : ids) {
    const auto piece = decoder.Push(id);
    EXPECT_TRUE(piece.ok()) << piece.status();
    EXPECT_TRUE(IsValidUtf8(*piece));
    text += *piece;
  }
  return text + decoder.Flush();
}

TEST(TokenizerKindsGoldenTest, TextsThereAndBack) {
  const auto lines = ReadGoldenLines("kinds_texts.jsonl", 60u);
  for (const auto& [name, document] : Documents()) {
    const auto tokenizer = Tokenizer::FromJson(document.dump());
    ASSERT_TRUE(tokenizer.ok()) << name << ": " << tokenizer.status();
    for (const Json& line : lines) {
      const auto text = line.at("text").get<std::string>();
      const auto encoding = (*tokenizer)->Encode(text);
      ASSERT_TRUE(encoding.ok()) << encoding.status();
      EXPECT_EQ(encoding->ids, line.at(name).at(0).get<std::vector<int32_t>>())
          << name << ": " << text;
      const auto decoded = (*tokenizer)->Decode(encoding->ids, /*skip_special_tokens=*/true);
      ASSERT_TRUE(decoded.ok()) << decoded.status();
      EXPECT_EQ(absl::StrFormat("%016x", Fnv1a(*decoded)), line.at(name).at(1).get<std::string>())
          << name << ": " << *decoded;
      EXPECT_EQ(DecodeOneByOne(**tokenizer, encoding->ids, true), *decoded) << name;
    }
  }
}

TEST(TokenizerKindsGoldenTest, AnyIdsBack) {
  const auto lines = ReadGoldenLines("kinds_ids.jsonl", 60u);
  for (const auto& [name, document] : Documents()) {
    const auto tokenizer = Tokenizer::FromJson(document.dump());
    ASSERT_TRUE(tokenizer.ok()) << name << ": " << tokenizer.status();
    for (const Json& line : lines) {
      const auto ids = line.at("ids").get<std::vector<int32_t>>();
      const auto decoded = (*tokenizer)->Decode(ids, /*skip_special_tokens=*/false);
      ASSERT_TRUE(decoded.ok()) << decoded.status();
      EXPECT_EQ(*decoded, line.at(name).get<std::string>()) << name << ": " << line.at("ids");
      // Where bytes in a row are broken, id by id has sent the characters before already.
      if (decoded->find("\ufffd") == std::string::npos) {
        EXPECT_EQ(DecodeOneByOne(**tokenizer, ids, false), *decoded) << name;
      }
    }
  }
}

TEST(TokenizerKindsGoldenTest, DamagedFilesAreSurvived) {
  std::mt19937 random(17);
  for (const auto& [name, document] : Documents()) {
    // A vocabulary of any length does as well: most damage is to hit what stands around it.
    Json small = document;
    auto& vocabulary = small["model"]["vocab"];
    if (vocabulary.is_array()) vocabulary.erase(vocabulary.begin() + 40, vocabulary.end());
    if (name == "prefixed" || name == "clip") small["model"]["merges"] = Json::array();
    const std::string whole = small.dump();
    for (int i = 0; i < 40; ++i) {
      std::string damaged = whole;
      for (int changes = 1 + i % 3; changes > 0; --changes) {
        damaged[random() % damaged.size()] = whole[random() % whole.size()];
      }
      const auto tokenizer = Tokenizer::FromJson(damaged);
      if (!tokenizer.ok()) continue;
      const auto encoding =
          (*tokenizer)->Encode("<s> It's 12 o'clock,  Zo\u0308e! 東京 \u00a0½ ab");
      ASSERT_TRUE(encoding.ok()) << name;
      for (const int32_t id : encoding->ids) EXPECT_LT(id, (*tokenizer)->vocabulary_size());
      static_cast<void>((*tokenizer)->Decode(encoding->ids, false));
    }
  }
}

}  // namespace
}  // namespace terminus::tokenizer
