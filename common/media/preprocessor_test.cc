#include "common/media/preprocessor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "common/media/decode.h"
#include "common/media/golden_test_util.h"

namespace terminus::media {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::Pointwise;

constexpr char kShortestEdge[] = R"({
  "image_processor_type": "BitImageProcessor", "do_resize": true, "size": {"shortest_edge": 32},
  "resample": 3, "do_center_crop": true, "crop_size": {"height": 20, "width": 24},
  "do_rescale": true, "rescale_factor": 0.5, "do_normalize": true,
  "image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]})";

TEST(ImagePreprocessorTest, EqualsTransformersWithPillow) {
  const auto preprocessor = ImagePreprocessor::FromJson(kShortestEdge);
  ASSERT_TRUE(preprocessor.ok()) << preprocessor.status();
  EXPECT_EQ(preprocessor->width(), 24);
  EXPECT_EQ(preprocessor->height(), 20);
  for (const char* size : {"61x40", "40x61", "32x32", "200x33", "33x47"}) {
    const std::string name = std::string("preprocess_") + size;
    const auto image = DecodeImage(ReadGolden(name + ".png"), {});
    ASSERT_TRUE(image.ok()) << image.status();
    EXPECT_EQ(preprocessor->Run(*image).rgb, ReadGoldenPpm(name + ".ppm").rgb) << name;
  }
}

TEST(ImagePreprocessorTest, KeepsWhatTheDeviceApplies) {
  const auto preprocessor = ImagePreprocessor::FromJson(kShortestEdge);
  ASSERT_TRUE(preprocessor.ok());
  EXPECT_EQ(preprocessor->rescale_factor(), 0.5f);
  EXPECT_THAT(preprocessor->mean(), ElementsAre(0.1f, 0.2f, 0.3f));
  EXPECT_THAT(preprocessor->std(), ElementsAre(0.4f, 0.5f, 0.6f));
}

TEST(ImagePreprocessorTest, SquareWithoutCrop) {
  const auto preprocessor = ImagePreprocessor::FromJson(
      R"({"size": 16, "resample": 1, "do_rescale": false, "do_normalize": false})");
  ASSERT_TRUE(preprocessor.ok()) << preprocessor.status();
  const Image image = preprocessor->Run(ReadGoldenPpm("rgb.png.ppm"));
  EXPECT_EQ(image.rgb, ReadGoldenPpm("resize_lanczos_16x16.ppm").rgb);
  EXPECT_EQ(preprocessor->rescale_factor(), 1.0f);
  EXPECT_THAT(preprocessor->mean(), ElementsAre(0, 0, 0));
  EXPECT_THAT(preprocessor->std(), ElementsAre(1, 1, 1));
}

TEST(ImagePreprocessorTest, HeightAndWidth) {
  const auto preprocessor = ImagePreprocessor::FromJson(
      R"({"size": {"height": 11, "width": 61}, "resample": 3, "do_normalize": false})");
  ASSERT_TRUE(preprocessor.ok()) << preprocessor.status();
  const Image image = preprocessor->Run(ReadGoldenPpm("rgb.png.ppm"));
  EXPECT_EQ(image.rgb, ReadGoldenPpm("resize_bicubic_61x11.ppm").rgb);
}

TEST(ImagePreprocessorTest, BareNumberIsTheShortestEdgeBeforeACrop) {
  const auto preprocessor = ImagePreprocessor::FromJson(
      R"({"size": 32, "resample": 3, "do_center_crop": true, "crop_size": 20,
          "do_normalize": false})");
  ASSERT_TRUE(preprocessor.ok()) << preprocessor.status();
  // 24 columns of the golden, without the outer 2 on each side.
  const Image golden = ReadGoldenPpm("preprocess_61x40.ppm");
  const auto source = DecodeImage(ReadGolden("preprocess_61x40.png"), {});
  ASSERT_TRUE(source.ok());
  const Image image = preprocessor->Run(*source);
  for (int y = 0; y < 20; ++y) {
    for (int i = 0; i < 60; ++i) {
      ASSERT_EQ(image.rgb[y * 60 + i], golden.rgb[y * 72 + 6 + i]);
    }
  }
}

TEST(ImagePreprocessorTest, LongestStripsStayBounded) {
  const auto preprocessor = ImagePreprocessor::FromJson(kShortestEdge);
  ASSERT_TRUE(preprocessor.ok());
  const Image strip{.width = 1,
                    .height = kMaxSide,
                    .rgb = std::vector<uint8_t>(static_cast<size_t>(kMaxSide) * 3, 7)};
  const Image image = preprocessor->Run(strip);
  EXPECT_EQ(image.rgb, std::vector<uint8_t>(24 * 20 * 3, 7));
}

// What the model sees: (pixel * rescale_factor - mean) / std.
std::vector<float> Normalized(const ImagePreprocessor& preprocessor, const Image& image) {
  std::vector<float> out;
  for (size_t i = 0; i < image.rgb.size(); ++i) {
    const float rescaled = static_cast<float>(image.rgb[i]) * preprocessor.rescale_factor();
    out.push_back((rescaled - preprocessor.mean()[i % 3]) / preprocessor.std()[i % 3]);
  }
  return out;
}

TEST(ImagePreprocessorTest, EqualsTransformersForEachFamily) {
  // Far less than one of 255 grey levels, which is at least 0.0039 of these numbers.
  constexpr float kTolerance = 3e-4f;
  const auto cases = nlohmann::json::parse(ReadGolden("preprocessor/goldens.json"));
  EXPECT_GE(cases.size(), 26u);
  for (const auto& golden : cases) {
    SCOPED_TRACE(golden["name"].get<std::string>() + " " + golden["image"].get<std::string>());
    const auto preprocessor = ImagePreprocessor::FromJson(golden["config"].dump());
    ASSERT_TRUE(preprocessor.ok()) << preprocessor.status();
    ASSERT_EQ(preprocessor->width(), golden["width"]);
    ASSERT_EQ(preprocessor->height(), golden["height"]);
    const auto image = DecodeImage(ReadGolden(golden["image"]), {}, preprocessor->conversion());
    ASSERT_TRUE(image.ok()) << image.status();
    EXPECT_THAT(Normalized(*preprocessor, preprocessor->Run(*image)),
                Pointwise(FloatNear(kTolerance), golden["pixels"].get<std::vector<float>>()));
  }
}

}  // namespace
}  // namespace terminus::media
