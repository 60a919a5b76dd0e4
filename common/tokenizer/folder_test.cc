#include "common/tokenizer/folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "common/base/temp_folder.h"
#include "common/settings/collector.h"
#include "common/tokenizer/golden_files.h"

namespace terminus::tokenizer {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Json = nlohmann::json;

class FolderTest : public testing::Test {
 protected:
  void Write(const std::string& name, const Json& content) const {
    std::ofstream(folder_.Path(name)) << content.dump();
  }
  absl::StatusOr<FolderTokenizer> Load(bool decodes = false) const {
    return LoadFolder(folder_.path(), {.decodes = decodes});
  }
  std::string FaultOf(bool decodes = false) const {
    return std::string(Load(decodes).status().message());
  }

  const base::TempFolder folder_;
};

TEST_F(FolderTest, SaysWhatTheFilesSay) {
  Write("tokenizer.json", ReadGoldenJson("tokenizer.json"));
  Write("config.json", {{"model_type", "bert"}});
  Write("tokenizer_config.json", {{"tokenizer_class", "BertTokenizer"},
                                  {"model_max_length", 128.0},
                                  {"padding_side", "left"},
                                  {"image_token", "<image>"},
                                  {"additional_special_tokens", {"<more>"}}});
  const auto folder = Load();
  ASSERT_TRUE(folder.ok()) << folder.status();
  EXPECT_EQ(folder->reference_class, ReferenceClass::kBert);
  EXPECT_EQ(folder->model_max_length, 128);
  EXPECT_EQ(folder->padding_side, Side::kLeft);
  EXPECT_EQ(folder->truncation_side, Side::kRight);
  EXPECT_EQ(folder->Special("cls_token"), "[CLS]");
  EXPECT_EQ(folder->Special("image_token"), "<image>");
  EXPECT_EQ(folder->Special("bos_token"), "");
  EXPECT_THAT(folder->extra_special_tokens, ElementsAre("<more>"));
  EXPECT_EQ(folder->tokenizer->vocabulary_size(), 563);
  EXPECT_EQ(folder->tokenizer->TokenOf(561), "<image>");
  EXPECT_TRUE(folder->tokenizer->IsSpecial(562));
  EXPECT_THAT(folder->tokenizer->Encode("<image>")->ids, ElementsAre(2, 561, 3));
  EXPECT_THAT(folder->tokenizer->Encode("<image>", {.add_special_tokens = false})->ids,
              ElementsAre(561));
}

TEST_F(FolderTest, AClassCountsMoreThanTheNormalizerOfTheFile) {
  Json document = ReadGoldenJson("tokenizer.json");
  document["normalizer"]["lowercase"] = false;
  Write("tokenizer.json", document);
  Write("config.json", {{"model_type", "bert"}});
  const auto lowered = Load()->tokenizer->Encode("HELLO")->ids;
  EXPECT_EQ(lowered, Load()->tokenizer->Encode("hello")->ids);
  Write("tokenizer_config.json", {{"do_lower_case", false}});
  EXPECT_NE(lowered, Load()->tokenizer->Encode("HELLO")->ids);
  Write("tokenizer_config.json", {{"tokenizer_class", "PreTrainedTokenizerFast"}});
  EXPECT_NE(lowered, Load()->tokenizer->Encode("HELLO")->ids);
}

TEST_F(FolderTest, FaultsNameFileAndKey) {
  EXPECT_EQ(Load().status().code(), absl::StatusCode::kNotFound);
  Write("tokenizer.json", ReadGoldenJson("bpe.json"));
  Write("config.json", {{"model_type", "llama"}});
  Write("tokenizer_config.json", {{"tokenizer_class", "MPNetTokenizer"}});
  EXPECT_THAT(FaultOf(), AllOf(HasSubstr(folder_.path()), HasSubstr("tokenizer_class: \"MPNet"),
                               HasSubstr("supported are PreTrainedTokenizerFast, ")));
  Write("tokenizer_config.json", {{"model_max_length", 12.5}, {"trust_remote_code", true}});
  EXPECT_THAT(FaultOf(), AllOf(HasSubstr("tokenizer_config.json: "),
                               HasSubstr("model_max_length: 12.5, expected a whole number"),
                               HasSubstr("trust_remote_code: true, supported is false")));
  Write("tokenizer_config.json", Json::object());
  Write("special_tokens_map.json", {{"add_bos_token", true}});
  EXPECT_THAT(FaultOf(), HasSubstr("special_tokens_map.json: add_bos_token: not supported"));
  Write("special_tokens_map.json", {{"bos_token", {{"content", "<s>"}, {"padded", true}}}});
  EXPECT_THAT(FaultOf(), HasSubstr("special_tokens_map.json: bos_token.padded: not supported"));
  Write("special_tokens_map.json", Json::object());
  Write("added_tokens.json", {{"<s>", "x"}});
  EXPECT_THAT(FaultOf(), HasSubstr("added_tokens.json: <s>: expected an id"));
  Write("added_tokens.json", Json::array());
  EXPECT_THAT(FaultOf(), HasSubstr("added_tokens.json: not a JSON object"));
}

TEST_F(FolderTest, DecodingCountsWhereItIsNeeded) {
  Json document = ReadGoldenJson("bpe.json");
  document["decoder"] = {{"type", "Morse"}};
  Write("tokenizer.json", document);
  Write("config.json", {{"model_type", "llama"}});
  EXPECT_TRUE(Load().ok());
  EXPECT_THAT(FaultOf(/*decodes=*/true),
              HasSubstr("tokenizer.json: decoder.type: found \"Morse\""));
  Write("tokenizer.json", ReadGoldenJson("unigram.json"));
  EXPECT_TRUE(Load(/*decodes=*/true).ok());
  Write("tokenizer_config.json", {{"clean_up_tokenization_spaces", true}});
  EXPECT_THAT(FaultOf(/*decodes=*/true), HasSubstr("clean_up_tokenization_spaces: true"));
  EXPECT_TRUE(Load().ok());
}

TEST_F(FolderTest, SpecialTokensCanBeText) {
  Write("tokenizer.json", ReadGoldenJson("bpe.json"));
  Write("config.json", {{"model_type", "llama"}});
  EXPECT_THAT(Load()->tokenizer->Encode("<|im_start|>")->ids, ElementsAre(1));
  Write("tokenizer_config.json", {{"split_special_tokens", true}});
  EXPECT_GT(Load()->tokenizer->Encode("<|im_start|>")->ids.size(), 4u);
}

TEST_F(FolderTest, LowersTheCaseForSentenceTransformers) {
  Write("tokenizer.json", ReadGoldenJson("sentencepiece_bpe.json"));
  Write("config.json", {{"model_type", "llama"}});
  const auto lowered = LoadFolder(folder_.path(), {.lower_case = true});
  ASSERT_TRUE(lowered.ok()) << lowered.status();
  const auto plain = Load();
  EXPECT_EQ(lowered->tokenizer->Encode("HELLO world")->ids,
            plain->tokenizer->Encode("hello world")->ids);
  EXPECT_NE(plain->tokenizer->Encode("HELLO world")->ids,
            plain->tokenizer->Encode("hello world")->ids);
}

TEST_F(FolderTest, ATokenizerFileCountsWithThoseBesideIt) {
  Write("tokenizer.json", ReadGoldenJson("bpe.json"));
  Write("config.json", {{"model_type", "llama"}});
  Write("tokenizer_config.json", {{"extra_special_tokens", {"<more>"}}});
  const auto tokenizer = Tokenizer::Load(folder_.Path("tokenizer.json"));
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_THAT((*tokenizer)->Encode("<more>")->ids, ElementsAre(700));
}

TEST_F(FolderTest, WarnsOfStagesThatAClassReplaces) {
  Json document = ReadGoldenJson("bpe.json");
  document["pre_tokenizer"] = {{"type", "Sequence"},
                               {"pretokenizers",
                                {{{"type", "Digits"}, {"individual_digits", true}},
                                 {{"type", "ByteLevel"}, {"add_prefix_space", false}}}}};
  Write("tokenizer.json", document);
  Write("config.json", {{"model_type", "llama"}});
  Write("tokenizer_config.json", {{"tokenizer_class", "GPT2Tokenizer"}});
  const settings::Collector collector;
  ASSERT_TRUE(Load().ok());
  EXPECT_THAT(collector.warnings(),
              ElementsAre(HasSubstr("tokenizer.json: pre_tokenizer: GPT2Tokenizer makes another")));
}

TEST_F(FolderTest, WarnsOfWhatItPassesOver) {
  Write("tokenizer.json", ReadGoldenJson("bpe.json"));
  Write("config.json", {{"model_type", "llama"}});
  Write("tokenizer_config.json", {{"added_tokens_decoder", {{"900", {{"content", "<x>"}}}}},
                                  {"wordiness", 3},
                                  {"auto_map", {{"AutoTokenizer", {"own.Own", nullptr}}}}});
  const settings::Collector collector;
  ASSERT_TRUE(Load().ok());
  EXPECT_THAT(collector.warnings(),
              testing::UnorderedElementsAre(
                  HasSubstr("auto_map: code of the folder is not run"),
                  HasSubstr("tokenizer_config.json: unknown keys, not looked at: wordiness"),
                  HasSubstr("\"<x>\" is written with the id 900, transformers gives it 700")));
}

}  // namespace
}  // namespace terminus::tokenizer
