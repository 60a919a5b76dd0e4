#include "models/vision/vision_encoder.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "common/base/temp_folder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/checkpoint/fake_checkpoint.h"

namespace terminus::models::vision {
namespace {

using base::TempFolder;
using checkpoint::MaxDifference;
using checkpoint::ReadGolden;
using checkpoint::WriteTestFile;
using executor::ImageBatch;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

media::ImagePreprocessor Preprocessor(const json& golden) {
  return media::ImagePreprocessor::FromJson(
             json({{"do_resize", true},
                   {"size", {{"height", golden["height"]}, {"width", golden["width"]}}},
                   {"do_center_crop", false},
                   {"do_rescale", true},
                   {"rescale_factor", 1.0 / 255},
                   {"do_normalize", true},
                   {"image_mean", golden["mean"]},
                   {"image_std", golden["std"]}})
                 .dump())
      .value();
}

ImageBatch FakeImages(const json& golden, int count) {
  ImageBatch batch{.count = count, .height = golden["height"], .width = golden["width"]};
  batch.pixels.resize(static_cast<size_t>(count) * batch.height * batch.width * 3);
  for (size_t i = 0; i < batch.pixels.size(); ++i) {
    batch.pixels[i] = static_cast<uint8_t>(checkpoint::FakeHash(7, static_cast<uint32_t>(i)));
  }
  return batch;
}

// How much rounding may differ: the deeper variants end in features beyond 1.
double Tolerance(const std::vector<float>& expected) {
  float largest = 1;
  for (const float value : expected) {
    largest = std::max(largest, std::abs(value));
  }
  return 1e-4 * largest;
}

class GoldenTest : public testing::TestWithParam<const char*> {};

TEST_P(GoldenTest, EqualsTimm) {
  const json golden = ReadGolden(GetParam());
  base::TempFolder folder;
  ASSERT_TRUE(checkpoint::WriteGoldenFolder(golden, folder.path()).ok());
  auto encoder = VisionEncoder::Load(folder.path(), Preprocessor(golden));
  ASSERT_TRUE(encoder.ok()) << encoder.status();
  const ImageBatch images = FakeImages(golden, 2);
  const auto features = (*encoder)->Encode(images);
  ASSERT_TRUE(features.ok()) << features.status();
  ASSERT_EQ(features->dimension, 1280);
  for (int i = 0; i < 2; ++i) {
    const auto expected = golden["features"][i].get<std::vector<float>>();
    EXPECT_LT(MaxDifference(features->values.data() + i * 1280, expected.data(), expected.size()),
              Tolerance(expected));
  }

  const int classes = golden["config"]["num_classes"];
  (*encoder)->set_projection(
      {.class_vectors =
           at::tensor(checkpoint::FakeTensor("class_vectors", {classes, 16})).view({classes, 16}),
       .top_k = golden["top_k"],
       .temperature = golden["temperature"]});
  const auto mixtures = (*encoder)->Encode(images);
  ASSERT_TRUE(mixtures.ok()) << mixtures.status();
  ASSERT_EQ(mixtures->dimension, 16);
  for (int i = 0; i < 2; ++i) {
    const auto expected = golden["mixtures"][i].get<std::vector<float>>();
    EXPECT_LT(MaxDifference(mixtures->values.data() + i * 16, expected.data(), 16), 1e-4);
  }
  EXPECT_EQ((*encoder)->Encode({.count = 0, .height = 64, .width = 64}).value().count, 0);
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenTest,
                         testing::Values("tf_efficientnet_lite0", "efficientnet_lite0",
                                         "tf_efficientnet_lite1", "tf_efficientnet_lite2",
                                         "tf_efficientnet_lite3", "tf_efficientnet_lite4"));

class VisionEncoderTest : public testing::Test {
 protected:
  VisionEncoderTest() : golden_(ReadGolden("tf_efficientnet_lite0")) {
    EXPECT_TRUE(checkpoint::WriteGoldenFolder(golden_, folder_.path()).ok());
  }

  std::string LoadError() {
    const auto encoder = VisionEncoder::Load(folder_.path(), Preprocessor(golden_));
    EXPECT_FALSE(encoder.ok());
    return std::string(encoder.status().message());
  }

  json golden_;
  base::TempFolder folder_;
};

TEST_F(VisionEncoderTest, BatchEqualsEachAlone) {
  auto encoder = VisionEncoder::Load(folder_.path(), Preprocessor(golden_));
  ASSERT_TRUE(encoder.ok()) << encoder.status();
  const ImageBatch images = FakeImages(golden_, 7);
  const auto all = (*encoder)->Encode(images);
  ASSERT_TRUE(all.ok()) << all.status();
  const size_t bytes = images.pixels.size() / 7;
  for (int i = 0; i < 7; ++i) {
    ImageBatch one{.count = 1, .height = images.height, .width = images.width};
    one.pixels.assign(images.pixels.begin() + i * bytes, images.pixels.begin() + (i + 1) * bytes);
    const auto alone = (*encoder)->Encode(one);
    ASSERT_TRUE(alone.ok()) << alone.status();
    EXPECT_LT(MaxDifference(all->values.data() + i * 1280, alone->values.data(), 1280), 1e-5);
  }
  EXPECT_EQ((*encoder)->Encode({.count = 0, .height = 64, .width = 64}).value().count, 0);
}

TEST_F(VisionEncoderTest, RefusesBadBatches) {
  auto encoder = VisionEncoder::Load(folder_.path(), Preprocessor(golden_));
  ASSERT_TRUE(encoder.ok()) << encoder.status();
  const auto code = [&](const ImageBatch& batch) {
    return (*encoder)->Encode(batch).status().code();
  };
  const auto pixels = [](size_t count) { return base::RecycledBytes(count * 3, 0); };
  EXPECT_EQ(code({1, 64, 64, pixels(64 * 63)}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({1, 8, 8, pixels(64)}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({1, 0, 64, {}}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({-1, 64, 64, {}}), absl::StatusCode::kInvalidArgument);
}

TEST_F(VisionEncoderTest, SaysWhatIsSupported) {
  WriteTestFile(folder_.path() + "/config.json",
                R"({"architecture": "resnet50", "num_classes": 1000})");
  EXPECT_THAT(LoadError(), AllOf(HasSubstr("config.json"), HasSubstr("resnet50"),
                                 HasSubstr("\"efficientnet_lite\"")));
  WriteTestFile(folder_.path() + "/config.json",
                R"({"architecture": "efficientnet_lite5", "num_classes": 1000})");
  EXPECT_THAT(LoadError(),
              AllOf(HasSubstr("efficientnet_lite5"), HasSubstr("tf_efficientnet_lite4")));
}

TEST_F(VisionEncoderTest, NamesEveryTensorThatIsWrong) {
  golden_["config"]["num_classes"] = 41;
  WriteTestFile(folder_.path() + "/config.json", golden_["config"].dump());
  EXPECT_THAT(LoadError(), AllOf(HasSubstr("classifier.weight"), HasSubstr("[41, 1280]"),
                                 HasSubstr("[40, 1280]"), HasSubstr("classifier.bias")));
}

}  // namespace
}  // namespace terminus::models::vision
