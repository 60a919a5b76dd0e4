#include "models/text/text_encoder.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "common/base/temp_folder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/checkpoint/fake_checkpoint.h"

namespace terminus::models::text {
namespace {

using base::TempFolder;
using checkpoint::MaxDifference;
using checkpoint::ReadGolden;
using checkpoint::WriteTestFile;
using executor::TextBatch;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

// A sentence-transformers folder, without a tokenizer.
void WriteFolder(const json& golden, const std::string& folder) {
  WriteTestFile(folder + "/config.json", golden["config"].dump());
  json modules = {{{"type", "sentence_transformers.models.Transformer"}, {"path", ""}},
                  {{"type", "sentence_transformers.models.Pooling"}, {"path", "1_Pooling"}}};
  if (golden["normalize"].get<bool>()) {
    modules.push_back(
        {{"type", "sentence_transformers.models.Normalize"}, {"path", "2_Normalize"}});
  }
  WriteTestFile(folder + "/modules.json", modules.dump());
  const std::string mode = "pooling_mode_" + golden["pooling"].get<std::string>();
  WriteTestFile(folder + "/1_Pooling/config.json",
                json({{mode, true}, {"pooling_mode_max_tokens", false}}).dump());
  ASSERT_TRUE(checkpoint::WriteFakeWeights(folder + "/model.safetensors", golden["tensors"]).ok());
}

class GoldenTest : public testing::TestWithParam<const char*> {};

TEST_P(GoldenTest, EqualsTransformersAloneAndTogether) {
  const json golden = ReadGolden(GetParam());
  base::TempFolder folder;
  WriteFolder(golden, folder.path());
  auto encoder = TextEncoder::Load(folder.path());
  ASSERT_TRUE(encoder.ok()) << encoder.status();
  const auto ids = golden["token_ids"].get<std::vector<std::vector<int32_t>>>();
  const auto together = (*encoder)->Encode({ids});
  ASSERT_TRUE(together.ok()) << together.status();
  ASSERT_EQ(together->count, static_cast<int>(ids.size()));
  ASSERT_EQ(together->dimension, (*encoder)->dimension());
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto expected = golden["vectors"][i].get<std::vector<float>>();
    ASSERT_EQ(expected.size(), static_cast<size_t>(together->dimension));
    const float* row = together->values.data() + i * expected.size();
    EXPECT_LT(MaxDifference(row, expected.data(), expected.size()), 2e-5) << "text " << i;
    const auto alone = (*encoder)->Encode({{ids[i]}});
    ASSERT_TRUE(alone.ok()) << alone.status();
    EXPECT_LT(MaxDifference(row, alone->values.data(), expected.size()), 1e-5) << "text " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenTest, testing::Values("bert_mean", "bert_cls"));

class TextEncoderTest : public testing::Test {
 protected:
  TextEncoderTest() : golden_(ReadGolden("bert_mean")) { WriteFolder(golden_, folder_.path()); }

  std::string LoadError() {
    const auto encoder = TextEncoder::Load(folder_.path());
    EXPECT_FALSE(encoder.ok());
    return std::string(encoder.status().message());
  }

  json golden_;
  base::TempFolder folder_;
};

TEST_F(TextEncoderTest, ManyPassesEqualOne) {
  auto encoder = TextEncoder::Load(folder_.path());
  ASSERT_TRUE(encoder.ok()) << encoder.status();
  TextBatch batch;
  for (int i = 0; i < 60; ++i) {
    batch.token_ids.push_back(std::vector<int32_t>(1 + i % 64, i % 101));
  }
  const auto all = (*encoder)->Encode(batch);
  ASSERT_TRUE(all.ok()) << all.status();
  for (size_t i = 0; i < batch.token_ids.size(); i += 7) {
    const auto alone = (*encoder)->Encode({{batch.token_ids[i]}});
    ASSERT_TRUE(alone.ok());
    EXPECT_LT(MaxDifference(all->values.data() + i * all->dimension, alone->values.data(),
                            all->dimension),
              1e-5);
  }
}

TEST_F(TextEncoderTest, RefusesBadBatches) {
  WriteTestFile(folder_.path() + "/sentence_bert_config.json", R"({"max_seq_length": 10})");
  auto encoder = TextEncoder::Load(folder_.path());
  ASSERT_TRUE(encoder.ok()) << encoder.status();
  EXPECT_EQ((*encoder)->limit().tokens, 10);
  EXPECT_EQ((*encoder)->limit().source, "max_seq_length of sentence_bert_config.json");
  const auto code = [&](std::vector<int32_t> ids) {
    return (*encoder)->Encode({{{1, 2}, std::move(ids)}}).status().code();
  };
  EXPECT_EQ(code({3}), absl::StatusCode::kOk);
  EXPECT_EQ(code({}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({-1}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({101}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(std::vector<int32_t>(11, 1)), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ((*encoder)->Encode({}).value().count, 0);
}

TEST_F(TextEncoderTest, NamesEveryTensorThatIsWrong) {
  golden_["config"]["hidden_size"] = 32;
  WriteFolder(golden_, folder_.path());
  EXPECT_THAT(LoadError(), AllOf(HasSubstr("word_embeddings.weight"), HasSubstr("[101, 64]"),
                                 HasSubstr("[101, 32]"), HasSubstr("layer.2.output.dense.bias")));
}

TEST_F(TextEncoderTest, SaysWhatIsSupported) {
  WriteTestFile(folder_.path() + "/config.json", R"({"model_type": "xlnet"})");
  EXPECT_THAT(LoadError(), AllOf(HasSubstr("config.json"), HasSubstr("xlnet"), HasSubstr("bert")));

  golden_["config"]["hidden_act"] = "swish";
  golden_["config"]["num_attention_heads"] = 7;
  WriteTestFile(folder_.path() + "/config.json", golden_["config"].dump());
  EXPECT_THAT(LoadError(), AllOf(HasSubstr("swish"), HasSubstr("not a multiple of 7")));

  WriteFolder(ReadGolden("bert_mean"), folder_.path());
  WriteTestFile(folder_.path() + "/1_Pooling/config.json", R"({"pooling_mode_max_tokens": true})");
  EXPECT_THAT(LoadError(), AllOf(HasSubstr("\"max\""), HasSubstr("\"cls\"")));

  WriteTestFile(folder_.path() + "/modules.json",
                R"([{"type": "sentence_transformers.models.Dense", "path": "2_Dense"}])");
  EXPECT_THAT(LoadError(), AllOf(HasSubstr("Dense"), HasSubstr("Normalize")));
}

TEST_F(TextEncoderTest, PlainFolderIsMeanPooledAndMayHavePrompts) {
  std::filesystem::remove(folder_.path() + "/modules.json");
  WriteTestFile(folder_.path() + "/config_sentence_transformers.json",
                R"({"prompts": {"query": "query: ", "document": ""}})");
  const auto config = ReadSentenceConfig(folder_.path());
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->pooling, Pooling::kMean);
  EXPECT_THAT(config->steps, testing::IsEmpty());
  // A prompt without text is one that a request may name all the same.
  EXPECT_THAT(config->prompts, testing::ElementsAre(testing::Pair("document", ""),
                                                    testing::Pair("query", "query: ")));

  // sentence-transformers reads it beside a modules.json alone.
  WriteTestFile(folder_.path() + "/sentence_bert_config.json", R"({"max_seq_length": 10})");
  EXPECT_THAT(ReadSentenceConfig(folder_.path())->limits, testing::IsEmpty());

  golden_["config"]["architectures"] = {"BertForCausalLM"};
  WriteTestFile(folder_.path() + "/config.json", golden_["config"].dump());
  EXPECT_THAT(LoadError(), AllOf(HasSubstr("architectures"), HasSubstr("modules.json")));
}

TEST_F(TextEncoderTest, RefusesOtherAttention) {
  golden_["config"].update({{"is_decoder", true},
                            {"position_embedding_type", "relative_key"},
                            {"quantization_config", {{"quant_method", "gptq"}}}});
  WriteTestFile(folder_.path() + "/config.json", golden_["config"].dump());
  EXPECT_THAT(LoadError(), AllOf(HasSubstr("is_decoder: true"),
                                 HasSubstr("position_embedding_type: \"relative_key\""),
                                 HasSubstr("quantization_config")));
}

TEST_F(TextEncoderTest, AbsentKeysAreBertsDefaults) {
  WriteTestFile(folder_.path() + "/config.json", R"({"model_type": "bert"})");
  EXPECT_THAT(LoadError(), AllOf(HasSubstr("[30522, 768]"), HasSubstr("[512, 768]"),
                                 HasSubstr("layer.11.intermediate.dense.weight")));
}

TEST_F(TextEncoderTest, ModulesLieInside) {
  for (const std::string path : {std::string("../other"), std::string("/other"),
                                 std::string("a/../../b"), std::string(300, 'x')}) {
    WriteTestFile(
        folder_.path() + "/modules.json",
        R"([{"type": "sentence_transformers.models.Transformer", "path": ")" + path + "\"}]");
    const auto config = ReadSentenceConfig(folder_.path());
    EXPECT_THAT(std::string(config.status().message()), HasSubstr("inside of this one"));
  }
}

}  // namespace
}  // namespace terminus::models::text
