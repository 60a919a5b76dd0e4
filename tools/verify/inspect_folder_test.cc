#include "tools/verify/inspect_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "common/base/temp_folder.h"
#include "models/checkpoint/fake_checkpoint.h"

namespace terminus::tools::verify {
namespace {

using models::checkpoint::WriteFakeWeights;
using models::checkpoint::WriteTestFile;
using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class InspectFolderTest : public testing::Test {
 protected:
  void SetUp() override {
    golden_ = json::parse(std::ifstream("tests/golden/models/tf_efficientnet_lite0.json"));
    WriteTestFile(folder_.Path("config.json"), golden_["config"].dump());
    WriteTestFile(folder_.Path("preprocessor_config.json"),
                  R"({"size": {"height": 64, "width": 64}, "image_mean": 0.5, "image_std": 0.5})");
    ASSERT_TRUE(WriteFakeWeights(folder_.Path("model.safetensors"), golden_["tensors"]).ok());
  }

  json golden_;
  base::TempFolder folder_;
};

TEST_F(InspectFolderTest, AFolderThatCanBeServed) {
  const Inspection inspection = InspectFolder(folder_.path());
  EXPECT_TRUE(AllGood(inspection));
  ASSERT_EQ(inspection.models.size(), 1u);
  EXPECT_EQ(inspection.models[0].modality, "image");
  const std::string text = FormatText(inspection, nullptr);
  EXPECT_THAT(text, AllOf(HasSubstr("  family                  tf_efficientnet_lite0\n"),
                          HasSubstr("not checked\n  golden vectors"), HasSubstr("can be loaded\n"),
                          Not(HasSubstr("faults"))));
  const json told = json::parse(FormatJson(inspection, nullptr));
  EXPECT_EQ(told["good"], true);
  EXPECT_EQ(told["models"][0]["sizes"]["num_classes"], 40);
  EXPECT_EQ(told["models"][0]["stored"]["float32"]["tensors"], golden_["tensors"].size());
  EXPECT_EQ(told["checks"][0]["modality"], "image");
  EXPECT_EQ(told["not_checked"].size(), NotChecked().size());
}

TEST_F(InspectFolderTest, EveryFaultOfTheWeightsIsTold) {
  golden_["tensors"].erase(5);
  golden_["tensors"][7][1] = {3};
  ASSERT_TRUE(WriteFakeWeights(folder_.Path("model.safetensors"), golden_["tensors"]).ok());
  const Inspection inspection = InspectFolder(folder_.path());
  EXPECT_FALSE(AllGood(inspection));
  const std::string text = FormatText(inspection, nullptr);
  EXPECT_THAT(text, AllOf(HasSubstr("faults\n  image: " + folder_.path()), HasSubstr("2 of "),
                          HasSubstr("file has no such tensor"), HasSubstr("file has float32 [3]"),
                          HasSubstr("cannot be loaded")));
  const json told = json::parse(FormatJson(inspection, nullptr));
  EXPECT_EQ(told["good"], false);
  EXPECT_EQ(told["checks"][0]["error"], std::string(inspection.models[0].status.message()));
}

TEST_F(InspectFolderTest, WarningsAndContradictionsAreTold) {
  golden_["tensors"].push_back({"blocks.9.more", {2}});
  ASSERT_TRUE(WriteFakeWeights(folder_.Path("model.safetensors"), golden_["tensors"]).ok());
  json config = golden_["config"];
  config["torch_dtype"] = "float16";
  WriteTestFile(folder_.Path("config.json"), config.dump());
  const Inspection inspection = InspectFolder(folder_.path());
  EXPECT_THAT(inspection.warnings,
              testing::Contains(HasSubstr("1 tensors are not used: blocks.9.more")));
  EXPECT_THAT(inspection.contradictions, ElementsAre(HasSubstr("dtype is float16")));
  EXPECT_THAT(FormatText(inspection, nullptr),
              AllOf(HasSubstr("warnings\n  "), HasSubstr("contradictions\n  ")));
}

TEST_F(InspectFolderTest, AFolderThatIsNoModel) {
  const Inspection nowhere = InspectFolder(folder_.Path("nowhere"));
  EXPECT_FALSE(AllGood(nowhere));
  EXPECT_THAT(FormatText(nowhere, nullptr),
              AllOf(HasSubstr("no such folder"), HasSubstr("What can be served")));
  WriteTestFile(folder_.Path("config.json"), R"({"model_type": "mamba"})");
  const Inspection other = InspectFolder(folder_.path());
  EXPECT_THAT(std::string(other.status.message()), HasSubstr("mamba"));
  EXPECT_EQ(json::parse(FormatJson(other, nullptr))["error"], std::string(other.status.message()));
}

TEST_F(InspectFolderTest, ComputedModelsStandBesideTheChecks) {
  const Inspection inspection = InspectFolder(folder_.path());
  Checked bad{.modality = "image",
              .device = "cpu",
              .status = absl::DataLossError("off by 1"),
              .report = {}};
  const std::vector<Checked> computed = {bad};
  EXPECT_THAT(FormatText(inspection, &computed),
              AllOf(HasSubstr("bad: off by 1"), Not(HasSubstr("not checked"))));
  const json told = json::parse(FormatJson(inspection, &computed));
  EXPECT_EQ(told["good"], false);
  EXPECT_EQ(told["computed"][0]["error"], "off by 1");
}

}  // namespace
}  // namespace terminus::tools::verify
