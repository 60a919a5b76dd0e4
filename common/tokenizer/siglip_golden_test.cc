// Compares ids of hostile texts with SiglipTokenizer of transformers, for SentencePiece
// vocabularies. The goldens come from tests/golden/tokenizer/make_siglip_goldens.py.
// TERMINUS_SIGLIP_GOLDENS names the folder of a differential run.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/settings/collector.h"
#include "common/tokenizer/folder.h"
#include "common/tokenizer/golden_files.h"

namespace terminus::tokenizer {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;
using testing::IsEmpty;

std::string Folder() {
  const char* const other = std::getenv("TERMINUS_SIGLIP_GOLDENS");
  return other != nullptr ? absl::StrCat(other, "/") : kGoldenFolder;
}

const Json& Golden() {
  static const Json golden = Json::parse(ReadGolden("siglip_folders.json", Folder()));
  return golden;
}

FolderFiles FilesOf(const Json& folder) {
  const Json& files = folder["files"];
  FolderFiles texts{.folder = "folder"};
  texts.tokenizer = files["tokenizer.json"].dump();
  texts.config = files["config.json"].dump();
  texts.tokenizer_config = files["tokenizer_config.json"].dump();
  if (files.contains("added_tokens.json")) texts.added_tokens = files["added_tokens.json"].dump();
  texts.spiece_model = ReadGolden(folder["model"].get<std::string>(), Folder());
  return texts;
}

// The tokenizers of the golden's folders in its order.
std::vector<std::pair<std::string, std::unique_ptr<const Tokenizer>>> LoadAll() {
  std::vector<std::pair<std::string, std::unique_ptr<const Tokenizer>>> all;
  for (const auto& [name, folder] : Golden()["folders"].items()) {
    const settings::Collector collector;
    auto loaded = LoadFiles(FilesOf(folder), {});
    EXPECT_TRUE(loaded.ok()) << name << ": " << loaded.status();
    if (!loaded.ok()) continue;
    EXPECT_THAT(collector.warnings(), IsEmpty()) << name;
    EXPECT_EQ(loaded->tokenizer->vocabulary_size(), folder["vocabulary"].get<int32_t>()) << name;
    EXPECT_EQ(loaded->tokenizer->TokenId("</s>"), folder["end"].get<int32_t>()) << name;
    all.emplace_back(name, std::move(loaded->tokenizer));
  }
  return all;
}

std::string HashOf(const std::vector<int32_t>& ids) {
  return absl::StrFormat("%08x", Fnv1a(absl::StrJoin(ids, " ")) >> 32);
}

TEST(SiglipGoldenTest, HostileTexts) {
  const auto tokenizers = LoadAll();
  ASSERT_EQ(tokenizers.size(), 13u);
  ASSERT_EQ(tokenizers[0].first, "published");
  for (const auto& line : ReadGoldenLines("siglip_texts.jsonl", 1900u, Folder())) {
    std::string text;
    for (int i = line.value("times", 1); i > 0; --i) text += line["text"].get<std::string>();
    const std::string shown = line["text"].dump();
    for (size_t i = 0; i < tokenizers.size(); ++i) {
      const auto encoding = tokenizers[i].second->Encode(text);
      ASSERT_TRUE(encoding.ok()) << encoding.status();
      EXPECT_EQ(encoding->full_length, encoding->ids.size());
      if (i > 0) {
        EXPECT_EQ(HashOf(encoding->ids), line["others"][i - 1].get<std::string>())
            << tokenizers[i].first << ": " << shown << ": " << absl::StrJoin(encoding->ids, " ");
        continue;
      }
      if (line["ids"].is_string()) {
        EXPECT_EQ(HashOf(encoding->ids), line["ids"].get<std::string>()) << shown;
      } else {
        EXPECT_EQ(encoding->ids, line["ids"].get<std::vector<int32_t>>()) << shown;
      }
      const auto bare = tokenizers[i].second->Encode(text, {.add_special_tokens = false});
      ASSERT_TRUE(bare.ok()) << bare.status();
      EXPECT_EQ(bare->ids.size(), line["bare"].get<size_t>()) << shown;
    }
  }
}

TEST(SiglipGoldenTest, TextsThatAreCut) {
  std::map<std::string, std::unique_ptr<const Tokenizer>> tokenizers;
  for (auto& [name, tokenizer] : LoadAll()) tokenizers[name] = std::move(tokenizer);
  const Json cuts = Json::parse(ReadGolden("siglip_cuts.json", Folder()));
  EXPECT_GT(cuts.size(), 100u);
  for (const Json& cut : cuts) {
    const auto encoding =
        tokenizers.at(cut[0])->Encode(cut[1].get<std::string>(), cut[2].get<size_t>());
    ASSERT_TRUE(encoding.ok()) << encoding.status();
    EXPECT_EQ(encoding->ids, cut[3].get<std::vector<int32_t>>()) << cut;
    EXPECT_EQ(encoding->truncated, encoding->full_length > cut[2].get<size_t>()) << cut;
  }
}

class SiglipFolderTest : public testing::Test {
 protected:
  std::string FaultOf(const FolderOptions& options = {}) const {
    const auto loaded = LoadFiles(files_, options);
    return loaded.ok() ? "" : std::string(loaded.status().message());
  }
  void SetConfig(const char* key, const Json& value) {
    Json config = Json::parse(*files_.tokenizer_config);
    config[key] = value;
    files_.tokenizer_config = config.dump();
  }

  FolderFiles files_ = FilesOf(Golden()["folders"]["published"]);
};

TEST_F(SiglipFolderTest, NeedsItsVocabulary) {
  files_.spiece_model = absl::nullopt;
  EXPECT_THAT(FaultOf(), HasSubstr("folder/spiece.model: missing; SiglipTokenizer reads it"));
  files_.spiece_model = "no vocabulary";
  EXPECT_THAT(FaultOf(), HasSubstr("folder/spiece.model: "));
}

TEST_F(SiglipFolderTest, IsForEncoders) {
  EXPECT_THAT(FaultOf({.decodes = true}),
              HasSubstr("SiglipTokenizer is supported for encoders only"));
  const auto loaded = LoadFiles(files_, {});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->tokenizer->Decode({5}, false).status().code(),
            absl::StatusCode::kFailedPrecondition);
  const base::ByteRange message{.begin = 0, .end = 1};
  EXPECT_THAT(loaded->tokenizer->Encode("a", {.plain_text = {&message, 1}}).status().message(),
              HasSubstr("text of messages is not supported"));
}

TEST_F(SiglipFolderTest, LowersTheCaseForSentenceTransformers) {
  SetConfig("do_lower_case", false);
  const auto cased = LoadFiles(files_, {});
  const auto lowered = LoadFiles(files_, {.lower_case = true});
  ASSERT_TRUE(cased.ok() && lowered.ok());
  EXPECT_EQ(lowered->tokenizer->Encode("The Cat")->ids, cased->tokenizer->Encode("the cat")->ids);
  EXPECT_NE(cased->tokenizer->Encode("The Cat")->ids, cased->tokenizer->Encode("the cat")->ids);
}

TEST_F(SiglipFolderTest, NeedsTheTokensBesideTexts) {
  SetConfig("eos_token", nullptr);
  EXPECT_THAT(FaultOf(), HasSubstr("tokenizer_config.json: eos_token: null"));
  SetConfig("eos_token", "</s>");
  SetConfig("unk_token", nullptr);
  EXPECT_THAT(FaultOf(), HasSubstr("tokenizer_config.json: unk_token: null"));
}

TEST_F(SiglipFolderTest, RefusesATokenWithTwoIds) {
  SetConfig("added_tokens_decoder", {{"1", {{"content", "</s>"}}}, {"300", {{"content", "</s>"}}}});
  EXPECT_THAT(FaultOf(), HasSubstr("added token \"</s>\": two ids, 1 and 300"));
  SetConfig("added_tokens_decoder", {{"4194304", {{"content", "<far>"}}}});
  EXPECT_THAT(FaultOf(), HasSubstr("added token \"<far>\": id 4194304"));
}

}  // namespace
}  // namespace terminus::tokenizer
