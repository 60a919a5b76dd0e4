#include "common/media/preprocessor_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "common/settings/collector.h"

namespace terminus::media {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;
using ::testing::HasSubstr;

PreprocessorConfig Read(absl::string_view json) {
  const auto config = ReadPreprocessorConfig("f.json", std::string(json));
  EXPECT_TRUE(config.ok()) << config.status();
  return config.ok() ? *config : PreprocessorConfig{};
}

TEST(PreprocessorConfigTest, ATypeFillsInWhatIsLeftOut) {
  const PreprocessorConfig clip = Read(R"({"image_processor_type": "CLIPImageProcessor"})");
  EXPECT_EQ(clip.filter, Filter::kBicubic);
  EXPECT_EQ(clip.shortest_edge, 224);
  EXPECT_EQ(clip.width, 224);
  EXPECT_EQ(clip.mean[2], 0.40821073f);
  const PreprocessorConfig vit = Read(R"({"image_processor_type": "ViTImageProcessor"})");
  EXPECT_EQ(vit.filter, Filter::kBilinear);
  EXPECT_EQ(vit.shortest_edge, 0);
  EXPECT_EQ(vit.resize_height, 224);
  EXPECT_THAT(vit.std, ElementsAre(0.5f, 0.5f, 0.5f));
  const PreprocessorConfig convnext = Read(R"({"image_processor_type": "ConvNextImageProcessor"})");
  EXPECT_EQ(convnext.shortest_edge, 0);
  EXPECT_EQ(convnext.resize_width, 384);
  EXPECT_EQ(convnext.width, 384);
}

TEST(PreprocessorConfigTest, NullIsLeftOut) {
  const PreprocessorConfig bit =
      Read(R"({"image_processor_type": "BitImageProcessor", "do_center_crop": null,
               "crop_size": null, "size": null, "image_std": null, "later_key": null})");
  EXPECT_EQ(bit.width, 224);
  EXPECT_EQ(bit.std[0], 0.26862954f);
}

TEST(PreprocessorConfigTest, ANumberIsWhatTheTypeTakesItFor) {
  EXPECT_EQ(Read(R"({"image_processor_type": "CLIPImageProcessor", "size": 30})").shortest_edge,
            30);
  EXPECT_EQ(Read(R"({"image_processor_type": "ViTImageProcessor", "size": 30})").resize_width, 30);
  const PreprocessorConfig told = Read(
      R"({"image_processor_type": "SiglipImageProcessor", "size": 30, "default_to_square": true})");
  EXPECT_EQ(told.resize_width, 30);
}

TEST(PreprocessorConfigTest, CropPctBelow384) {
  const PreprocessorConfig resnet =
      Read(R"({"feature_extractor_type": "ConvNextFeatureExtractor", "size": 224,
               "crop_pct": 0.95})");
  EXPECT_EQ(resnet.shortest_edge, 235);  // 235.79 cut
  EXPECT_EQ(resnet.width, 224);
  // Other types do not look at it.
  EXPECT_EQ(Read(R"({"image_processor_type": "ViTImageProcessor", "crop_pct": 0.5})").resize_width,
            224);
}

TEST(PreprocessorConfigTest, EfficientNetIsOneScaleAndShift) {
  const PreprocessorConfig config =
      Read(R"({"image_processor_type": "EfficientNetImageProcessor", "rescale_offset": true,
               "image_mean": [0.1, 0.2, 0.3], "image_std": [0.5, 0.4, 2]})");
  EXPECT_THAT(config.mean, ElementsAre(FloatEq(1.1f), FloatEq(1.2f), FloatEq(1.3f)));
  EXPECT_THAT(config.std, ElementsAre(FloatEq(0.25f), FloatEq(0.16f), FloatEq(4.0f)));
}

TEST(PreprocessorConfigTest, PaddingThatChangesNothingIsFine) {
  EXPECT_EQ(Read(R"({"image_processor_type": "ViTImageProcessor", "do_pad": true})").width, 224);
  EXPECT_EQ(Read(R"({"image_processor_type": "ViTImageProcessor", "do_pad": true,
                     "pad_size": {"height": 224, "width": 224}})")
                .width,
            224);
  EXPECT_EQ(Read(R"({"image_processor_type": "ViTImageProcessor", "do_pad": false,
                     "pad_size": 300})")
                .width,
            224);
}

TEST(PreprocessorConfigTest, UnknownKeysAreAWarning) {
  const settings::Collector collector;
  EXPECT_EQ(Read(R"({"image_processor_type": "ViTImageProcessor", "do_centre_crop": true})").width,
            224);
  EXPECT_THAT(collector.warnings(),
              ElementsAre("f.json: unknown keys, not looked at: do_centre_crop"));
}

TEST(PreprocessorConfigTest, UseSquareSizeIsTheClassesOwnSize) {
  const PreprocessorConfig clip = Read(
      R"({"image_processor_type": "CLIPImageProcessor", "size": 96, "use_square_size": true})");
  EXPECT_EQ(clip.shortest_edge, 0);
  EXPECT_EQ(clip.resize_width, 224);
}

TEST(PreprocessorConfigTest, ErrorsNameTheKey) {
  const std::pair<const char*, const char*> cases[] = {
      {"[", "f.json: not a JSON object"},
      {R"({})", "size: missing"},
      {R"({"size": 0})", "size: expected 1 to 4096 pixels, found 0"},
      {R"({"size": 5000})", "size: expected 1 to 4096"},
      {R"({"size": 1.5})", "size: expected 1 to 4096"},
      {R"({"size": {"longest_edge": 8}})", "size: expected a number, {shortest_edge} or"},
      {R"({"size": {"shortest_edge": 8, "longest_edge": 9}, "do_center_crop": true})",
       "one fixed size, found {\"longest_edge\":9"},
      {R"({"size": {"max_height": 8, "max_width": 9}})", "one fixed size, found"},
      {R"({"size": {"height": 8, "width": "8"}})", "size.width: expected 1 to 4096"},
      {R"({"size": {"shortest_edge": 8}})", "size.shortest_edge: expected do_center_crop"},
      {R"({"image_processor_type": "SiglipImageProcessor", "size": 8})",
       "size.shortest_edge: expected do_center_crop"},
      {R"({"size": 8, "do_resize": false})", "do_resize: expected true, or do_center_crop"},
      {R"({"size": 8, "resample": 6})", "resample: expected 0 (nearest), 1 (Lanczos), 2"},
      {R"({"size": 8, "resample": -1})", "5 (Hamming), found -1"},
      {R"({"size": 8, "resample": "bicubic"})", "resample: expected 0 (nearest)"},
      {R"({"size": 8, "do_center_crop": 1})", "do_center_crop: 1, expected true or false"},
      {R"({"size": 8, "do_center_crop": true})", "crop_size: missing"},
      {R"({"size": 8, "do_center_crop": true, "crop_size": "8"})", "crop_size: expected a"},
      {R"({"size": 8, "do_center_crop": true, "crop_size": [8, 0]})",
       "crop_size.width: expected 1 to 4096"},
      {R"({"size": 8, "image_mean": [0, 0]})", "image_mean: expected three numbers"},
      {R"({"size": 8, "image_mean": [0, 0, 1e60]})", "image_mean: expected a number"},
      {R"({"size": 8, "image_mean": [0, 0, 0], "image_std": [1, 0, 1]})",
       "image_std: expected three numbers above 0"},
      {R"({"size": 8, "rescale_factor": "x"})", "rescale_factor: expected a number"},
      {R"({"image_processor_type": "Siglip2ImageProcessor"})",
       "\"Siglip2ImageProcessor\" is not supported; supported are CLIPImageProcessor, Siglip"},
      {R"({"image_processor_type": 3})", "image_processor_type: 3, expected a string"},
      {R"({"image_processor_type": "ConvNextImageProcessor", "size": {"height": 8, "width": 8}})",
       "size: expected {shortest_edge}"},
      {R"({"image_processor_type": "ConvNextImageProcessor", "do_center_crop": true})",
       "do_center_crop: true, supported is false"},
      {R"({"image_processor_type": "ConvNextImageProcessor", "size": 8, "crop_pct": 0})",
       "crop_pct: expected above 0 to 1"},
      {R"({"image_processor_type": "ConvNextImageProcessor", "size": 8, "crop_pct": 0.001})",
       "crop_pct: expected above 0 to 1"},
      {R"({"image_processor_type": "ViTImageProcessor", "do_pad": true, "pad_size": 300})",
       "do_pad: padding to 300 x 300 is not supported"},
  };
  for (const auto& [json, message] : cases) {
    const auto config = ReadPreprocessorConfig("f.json", json);
    EXPECT_FALSE(config.ok()) << json;
    EXPECT_THAT(std::string(config.status().message()), HasSubstr(message)) << json;
  }
}

}  // namespace
}  // namespace terminus::media
