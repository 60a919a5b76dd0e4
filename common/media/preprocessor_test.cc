#include "common/media/preprocessor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "common/media/decode.h"
#include "common/media/golden_test_util.h"

namespace terminus::media {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

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

TEST(ImagePreprocessorTest, ErrorsNameTheKey) {
  const std::pair<const char*, const char*> cases[] = {
      {"[", "expected a JSON object"},
      {R"({})", "size: missing"},
      {R"({"size": 0})", "size: expected 1 to 4096 pixels, found 0"},
      {R"({"size": 5000})", "size: expected 1 to 4096"},
      {R"({"size": 1.5})", "size: expected 1 to 4096"},
      {R"({"size": {"longest_edge": 8}})", "size: expected a number, {shortest_edge}"},
      {R"({"size": {"height": 8, "width": "8"}})", "size.width: expected 1 to 4096"},
      {R"({"size": {"shortest_edge": 8}})", "size.shortest_edge: expected do_center_crop"},
      {R"({"size": 8, "do_resize": false})", "do_resize: expected true"},
      {R"({"size": 8, "resample": 0})", "resample: expected 1 (Lanczos)"},
      {R"({"size": 8, "resample": "bicubic"})", "resample: expected 1 (Lanczos)"},
      {R"({"size": 8, "do_center_crop": 1})", "do_center_crop: expected true or false"},
      {R"({"size": 8, "do_center_crop": true})", "crop_size: missing"},
      {R"({"size": 8, "do_center_crop": true, "crop_size": 9})", "crop_size: expected at most 8"},
      {R"({"size": 8, "do_center_crop": true, "crop_size": [8, 8]})", "crop_size: expected a"},
      {R"({"size": 8, "image_mean": [0, 0]})", "image_mean: expected three numbers"},
      {R"({"size": 8, "image_mean": [0, 0, 0], "image_std": [1, 0, 1]})",
       "image_std: expected three numbers above 0"},
      {R"({"size": 8, "rescale_factor": "x"})", "rescale_factor: expected a number"},
  };
  for (const auto& [json, message] : cases) {
    const auto preprocessor = ImagePreprocessor::FromJson(json);
    EXPECT_FALSE(preprocessor.ok()) << json;
    EXPECT_THAT(std::string(preprocessor.status().message()), HasSubstr(message)) << json;
  }
}

}  // namespace
}  // namespace terminus::media
