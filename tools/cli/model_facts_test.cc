#include "tools/cli/model_facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "common/base/file.h"
#include "common/base/temp_folder.h"
#include "common/weights/safetensors_writer.h"

namespace terminus::tools::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

class ModelFactsTest : public testing::Test {
 protected:
  void Write(const std::string& name, const std::string& content) {
    const std::string path = folder_.Path(name);
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    ASSERT_TRUE(base::WriteFileAtomic(path, content).ok());
  }

  // Two tensors of 2 x 3 float32 and 5 float16.
  void WriteWeights(const std::string& name) {
    const std::vector<std::byte> bytes(24);
    const std::vector<std::pair<std::string, weights::TensorView>> tensors = {
        {"a", {.dtype = weights::DType::kFloat32, .shape = {2, 3}, .data = bytes}},
        {"b",
         {.dtype = weights::DType::kFloat16,
          .shape = {5},
          .data = absl::MakeConstSpan(bytes).subspan(0, 10)}}};
    ASSERT_TRUE(weights::WriteSafetensors(folder_.Path(name), tensors).ok());
  }

  void WriteVision(const std::string& prefix) {
    Write(prefix + "config.json", R"({"architecture": "tf_efficientnet_lite0", "num_classes": 7})");
    Write(prefix + "preprocessor_config.json",
          R"({"image_processor_type": "BitImageProcessor", "crop_size": 96})");
    WriteWeights(prefix + "model.safetensors");
  }

  ModelFacts Inspect() {
    const auto models = InspectFolder(folder_.path());
    EXPECT_TRUE(models.ok()) << models.status();
    EXPECT_EQ(models->size(), 1u);
    return models->front();
  }

  base::TempFolder folder_;
};

TEST_F(ModelFactsTest, AnImageEncoder) {
  WriteVision("");
  const ModelFacts facts = Inspect();
  EXPECT_EQ(facts.family, "tf_efficientnet_lite0");
  EXPECT_EQ(facts.kind, "image encoder");
  EXPECT_THAT(facts.services, ElementsAre("terminus-router", "terminus-vision"));
  EXPECT_THAT(facts.sizes, ElementsAre(Pair("num_classes", "7")));
  EXPECT_EQ(facts.parameters, 11);
  EXPECT_EQ(facts.dtypes.at("float32").bytes, 24);
  EXPECT_EQ(facts.dtypes.at("float16").parameters, 5);
  EXPECT_EQ(facts.preprocessor, "BitImageProcessor, 96 x 96 pixels");
  EXPECT_THAT(facts.unsupported, IsEmpty());
}

TEST_F(ModelFactsTest, TheFamilyThatIsNotServedIsNamedBesideThoseThatAre) {
  Write("config.json", R"({"model_type": "mamba", "hidden_size": 64})");
  WriteWeights("model.safetensors");
  const ModelFacts facts = Inspect();
  EXPECT_EQ(facts.kind, "");
  EXPECT_THAT(facts.services, IsEmpty());
  ASSERT_EQ(facts.unsupported.size(), 1u);
  EXPECT_THAT(facts.unsupported[0], HasSubstr("model_type \"mamba\" is not served; served are"));
  EXPECT_THAT(facts.unsupported[0], HasSubstr("model_type qwen2"));
}

TEST_F(ModelFactsTest, AFolderOfTwoTowersHasWorkForBothServices) {
  Write("config.json", R"({"model_type": "clip", "projection_dim": 24,
                           "text_config": {"hidden_size": 32}, "vision_config": {"patch_size": 16}})");
  WriteWeights("model.safetensors");
  const ModelFacts facts = Inspect();
  EXPECT_EQ(facts.kind, "text encoder and image encoder");
  EXPECT_THAT(facts.services, ElementsAre("terminus-router", "terminus-text", "terminus-vision",
                                          "terminus-decoder"));
  EXPECT_THAT(facts.sizes,
              ElementsAre(Pair("projection_dim", "24"), Pair("text_config.hidden_size", "32"),
                          Pair("vision_config.patch_size", "16")));
  ASSERT_EQ(facts.unsupported.size(), 2u);
  EXPECT_THAT(facts.unsupported[0], HasSubstr("tokenizer.json: missing"));
  EXPECT_THAT(facts.unsupported[1], HasSubstr("preprocessor_config.json"));
}

TEST_F(ModelFactsTest, AllThatIsMissingIsTold) {
  Write("config.json", R"({"model_type": "bert"})");
  const ModelFacts facts = Inspect();
  EXPECT_EQ(facts.kind, "text encoder");
  ASSERT_EQ(facts.unsupported.size(), 2u);
  EXPECT_THAT(facts.unsupported[0], HasSubstr("model.safetensors"));
  EXPECT_THAT(facts.unsupported[1], HasSubstr("tokenizer.json: missing"));
}

TEST_F(ModelFactsTest, WhatTokenizerAndPreprocessorHoldIsTold) {
  WriteVision("");
  Write("tokenizer.json", R"({"model": {"type": "Quantum"}})");
  Write("processor_config.json", R"({"image_processor": {"image_processor_type": "NoProcessor"}})");
  const ModelFacts facts = Inspect();
  EXPECT_EQ(facts.tokenizer, "Quantum");
  EXPECT_EQ(facts.preprocessor, "NoProcessor");
  ASSERT_EQ(facts.unsupported.size(), 2u);
  EXPECT_THAT(facts.unsupported[0], HasSubstr("tokenizer.json"));
  EXPECT_THAT(facts.unsupported[1], HasSubstr("processor_config.json: image_processor_type: \"No"));
}

TEST_F(ModelFactsTest, TheEncoderOfASentenceTransformersFolder) {
  Write("modules.json", R"([{"idx": 0, "path": "0_Transformer"}])");
  Write("0_Transformer/config.json", R"({"model_type": "bert", "hidden_size": 8})");
  WriteWeights("0_Transformer/model.safetensors");
  const ModelFacts facts = Inspect();
  EXPECT_EQ(facts.family, "bert");
  EXPECT_EQ(facts.parameters, 11);
}

TEST_F(ModelFactsTest, ABundleHasItsModelsOnceEach) {
  WriteVision("eyes/");
  Write("bundle.yaml", "vision: {path: eyes}\nvideo: {tower: eyes}\ndecoder: {path: gone}\n");
  const auto models = InspectFolder(folder_.path());
  ASSERT_TRUE(models.ok()) << models.status();
  ASSERT_EQ(models->size(), 2u);
  EXPECT_THAT((*models)[0].services,
              ElementsAre("terminus-router", "terminus-vision", "terminus-video"));
  EXPECT_THAT((*models)[1].unsupported[0], HasSubstr("gone/config.json"));
}

TEST_F(ModelFactsTest, FoldersThatCannotBeRead) {
  EXPECT_FALSE(InspectFolder(folder_.Path("nowhere")).ok());
  Write("bundle.yaml", "text: [");
  EXPECT_FALSE(InspectFolder(folder_.path()).ok());
  Write("bundle.yaml", "format: 1");
  EXPECT_THAT(std::string(InspectFolder(folder_.path()).status().message()),
              HasSubstr("names no model"));
}

TEST_F(ModelFactsTest, BothFormsHoldTheSame) {
  WriteVision("");
  const std::vector<ModelFacts> models = {Inspect()};
  EXPECT_THAT(FormatFacts(models), HasSubstr("parameters          11"));
  const auto json = nlohmann::json::parse(FactsJson(models));
  EXPECT_EQ(json["models"][0]["sizes"]["num_classes"], 7);
  EXPECT_EQ(json["models"][0]["memory_bytes"]["float32"], 44);
  EXPECT_EQ(json["models"][0]["stored"]["float16"]["tensors"], 1);
}

}  // namespace
}  // namespace terminus::tools::cli
