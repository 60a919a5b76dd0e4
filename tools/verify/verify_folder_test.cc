#include "tools/verify/verify_folder.h"

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
using testing::HasSubstr;

class VerifyFolderTest : public testing::Test {
 protected:
  void SetUp() override {
    const json golden =
        json::parse(std::ifstream("tests/golden/models/tf_efficientnet_lite0.json"));
    WriteTestFile(folder_.Path("config.json"), golden["config"].dump());
    WriteTestFile(folder_.Path("preprocessor_config.json"),
                  R"({"size": {"height": 64, "width": 64}, "image_mean": 0.5, "image_std": 0.5})");
    ASSERT_TRUE(WriteFakeWeights(folder_.Path("model.safetensors"), golden["tensors"]).ok());
  }

  const Options options_{.device = "cpu", .threads = 1};
  base::TempFolder folder_;
};

TEST_F(VerifyFolderTest, ComparesAloneWithBatched) {
  const auto checked = VerifyFolder(folder_.path(), options_);
  ASSERT_TRUE(checked.ok()) << checked.status();
  ASSERT_EQ(checked->size(), 1u);
  const Checked& model = checked->front();
  EXPECT_TRUE(model.status.ok()) << model.status;
  EXPECT_EQ(model.modality, "image");
  EXPECT_EQ(model.device, "cpu");
  ASSERT_EQ(model.report.comparisons.size(), 2u);
  EXPECT_FALSE(model.report.comparisons[1].golden);
  EXPECT_EQ(model.report.tolerance, 1e-3);
  EXPECT_TRUE(AllGood(*checked));
  EXPECT_THAT(FormatText(*checked), HasSubstr("good: largest difference"));
  const json told = json::parse(FormatJson(folder_.path(), *checked));
  EXPECT_EQ(told["good"], true);
  EXPECT_EQ(told["models"][0]["comparisons"].size(), 2u);
}

TEST_F(VerifyFolderTest, AGoldenThatDoesNotComeOutIsTold) {
  json vector = json::array();
  for (int i = 0; i < 1280; ++i) vector.push_back(i == 0 ? 1 : 0);
  WriteTestFile(folder_.Path("picture.png"), [] {
    std::ifstream file("tests/golden/media/rgb.png", std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }());
  WriteTestFile(folder_.Path("golden.json"),
                json{{"image", {{{"path", "picture.png"}, {"vector", vector}}}}}.dump());
  WriteTestFile(folder_.Path("bundle.yaml"),
                "format: 1\nname: bad\nspace: {id: 00000000000000000000000000000000, dimension: "
                "1280}\nvision: {path: .}\ngolden: {path: golden.json}\n");
  const auto checked = VerifyFolder(folder_.path(), options_);
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_FALSE(AllGood(*checked));
  ASSERT_EQ(checked->front().report.comparisons.size(), 1u);
  EXPECT_TRUE(checked->front().report.comparisons[0].golden);
  EXPECT_GT(checked->front().report.comparisons[0].alone, 0.5);
  EXPECT_THAT(FormatText(*checked), HasSubstr("bad: golden "));
  EXPECT_EQ(json::parse(FormatJson("f", *checked))["good"], false);
}

TEST_F(VerifyFolderTest, WeightsThatDoNotFitAreTold) {
  WriteTestFile(folder_.Path("model.safetensors"), "no weights");
  const auto checked = VerifyFolder(folder_.path(), options_);
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(checked->front().device, "");
  EXPECT_THAT(FormatText(*checked), HasSubstr("bad: "));
}

TEST(FormatTextTest, LongInputsAreCutBetweenCharacters) {
  Checked model{.modality = "text", .device = "cpu", .status = absl::OkStatus(), .report = {}};
  // The last of these bytes is in the middle of a character.
  model.report.comparisons.push_back({.input = "a\n" + std::string(67, 'x') + "日本"});
  EXPECT_THAT(FormatText({model}), HasSubstr("  a " + std::string(67, 'x') + "…\n"));
}

TEST_F(VerifyFolderTest, AFolderThatCannotBeServed) {
  EXPECT_FALSE(VerifyFolder(folder_.Path("nowhere"), options_).ok());
}

}  // namespace
}  // namespace terminus::tools::verify
