#include "tools/verify/facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "common/base/file.h"
#include "common/base/temp_folder.h"
#include "common/weights/safetensors_writer.h"

namespace terminus::tools::verify {
namespace {

using testing::ElementsAre;
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
    const auto models = ReadFacts(folder_.path());
    EXPECT_EQ(models.size(), 1u);
    return models.front();
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
}

TEST_F(ModelFactsTest, AFamilyThatIsNotServedHasItsSizes) {
  Write("config.json", R"({"model_type": "mamba", "hidden_size": 64})");
  WriteWeights("model.safetensors");
  const ModelFacts facts = Inspect();
  EXPECT_EQ(facts.family, "mamba");
  EXPECT_EQ(facts.kind, "");
  EXPECT_THAT(facts.services, IsEmpty());
  EXPECT_THAT(facts.sizes, ElementsAre(Pair("hidden_size", "64")));
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
}

TEST_F(ModelFactsTest, FilesThatCannotBeReadLeaveTheirFactsEmpty) {
  Write("config.json", "{");
  Write("tokenizer.json", "[]");
  Write("preprocessor_config.json", "1");
  Write("model.safetensors", "no weights");
  const ModelFacts facts = Inspect();
  EXPECT_EQ(facts.family, "");
  EXPECT_EQ(facts.tokenizer, "");
  EXPECT_EQ(facts.preprocessor, "");
  EXPECT_EQ(facts.parameters, 0);
}

TEST_F(ModelFactsTest, TokenizerAndPreprocessorAreNamed) {
  WriteVision("");
  Write("tokenizer.json", R"({"model": {"type": "Quantum"}})");
  Write("processor_config.json", R"({"image_processor": {"image_processor_type": "NoProcessor"}})");
  const ModelFacts facts = Inspect();
  EXPECT_EQ(facts.tokenizer, "Quantum");
  EXPECT_EQ(facts.preprocessor, "NoProcessor");
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
  const auto models = ReadFacts(folder_.path());
  ASSERT_EQ(models.size(), 2u);
  EXPECT_THAT(models[0].services,
              ElementsAre("terminus-router", "terminus-vision", "terminus-video"));
  EXPECT_EQ(models[1].family, "");
}

TEST_F(ModelFactsTest, FoldersWithoutModels) {
  EXPECT_THAT(ReadFacts(folder_.Path("nowhere")), IsEmpty());
  Write("bundle.yaml", "text: [");
  EXPECT_THAT(ReadFacts(folder_.path()), IsEmpty());
  Write("bundle.yaml", "format: 1");
  EXPECT_THAT(ReadFacts(folder_.path()), IsEmpty());
}

}  // namespace
}  // namespace terminus::tools::verify
