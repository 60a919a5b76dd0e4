// Image towers of whole folders against what transformers makes of the same ones.
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/base/temp_folder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/checkpoint/fake_checkpoint.h"
#include "models/vision/families.h"
#include "models/vision/golden_images.h"
#include "models/vision/vision_encoder.h"
#include "models/vision/vit.h"

namespace terminus::models::vision {
namespace {

using checkpoint::MaxDifference;
using checkpoint::ReadGolden;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

class VisionTowersTest : public testing::TestWithParam<const char*> {};

TEST_P(VisionTowersTest, EqualsTransformersAloneAndTogether) {
  const json golden = ReadGolden(GetParam());
  const json& vectors = golden.value("image_vectors", golden["vectors"]);
  const base::TempFolder folder;
  EXPECT_TRUE(checkpoint::WriteGoldenFolder(golden, folder.path()).ok());
  auto encoder = VisionEncoder::Load(folder.path(), GoldenPreprocessor(golden));
  ASSERT_TRUE(encoder.ok()) << encoder.status();
  const auto together = (*encoder)->Encode(GoldenImages(golden, 0, 3));
  ASSERT_TRUE(together.ok()) << together.status();
  for (int i = 0; i < 3; ++i) {
    const auto expected = vectors[i].get<std::vector<float>>();
    ASSERT_EQ(expected.size(), static_cast<size_t>(together->dimension));
    const float* row = together->values.data() + i * expected.size();
    EXPECT_LT(MaxDifference(row, expected.data(), expected.size()), 1e-4) << "image " << i;
    const auto alone = (*encoder)->Encode(GoldenImages(golden, i, 1));
    ASSERT_TRUE(alone.ok()) << alone.status();
    EXPECT_LT(MaxDifference(row, alone->values.data(), expected.size()), 1e-5) << "image " << i;
  }
  // In half the precision the same, but for rounding.
  auto half =
      VisionEncoder::Load(folder.path(), GoldenPreprocessor(golden), {.dtype = at::kBFloat16});
  ASSERT_TRUE(half.ok()) << half.status();
  const auto rough = (*half)->Encode(GoldenImages(golden, 0, 3));
  ASSERT_TRUE(rough.ok()) << rough.status();
  EXPECT_LT(MaxDifference(rough->values.data(), together->values.data(), together->values.size()),
            0.15);
  EXPECT_EQ((*encoder)->Encode(GoldenImages(golden, 0, 0))->count, 0);
}

INSTANTIATE_TEST_SUITE_P(Models, VisionTowersTest,
                         testing::Values("clip", "clip_legacy", "clip_vision", "siglip",
                                         "siglip_vision", "vit", "vit_head", "dinov2",
                                         "dinov2_giant", "dinov2_native", "resnet", "resnet_head",
                                         "resnet_basic"));

// What loading says of a golden's folder with `change` merged into its config.json.
std::string ErrorOf(const std::string& name, const json& change,
                    const json& input = json::object()) {
  json golden = ReadGolden(name);
  golden["config"].merge_patch(change);
  golden.merge_patch(input);
  const base::TempFolder folder;
  EXPECT_TRUE(checkpoint::WriteGoldenFolder(golden, folder.path()).ok());
  const auto encoder = VisionEncoder::Load(folder.path(), GoldenPreprocessor(golden));
  EXPECT_FALSE(encoder.ok());
  return std::string(encoder.status().message());
}

TEST(ClipVisionTest, RefusesWhatWouldChangeResults) {
  EXPECT_THAT(ErrorOf("clip", {{"vision_config", {{"num_channels", 1}, {"hidden_act", "silu"}}}}),
              AllOf(HasSubstr("vision_config.num_channels"), HasSubstr("silu")));
  EXPECT_THAT(ErrorOf("clip_vision", {{"patch_size", {10, 10}}}), HasSubstr("patch_size"));
  EXPECT_THAT(ErrorOf("clip_vision", {{"image_size", 64}}),
              AllOf(HasSubstr("preprocessor_config.json"), HasSubstr("48×48"), HasSubstr("64×64")));
  EXPECT_THAT(ErrorOf("clip", {{"projection_dim", 16}}),
              AllOf(HasSubstr("visual_projection.weight"), HasSubstr("[16, 36]")));
}

TEST(SiglipVisionTest, RefusesWhatWouldChangeResults) {
  EXPECT_THAT(ErrorOf("siglip", {{"vision_config", {{"vision_use_head", false}}}}),
              HasSubstr("vision_config.vision_use_head"));
  // NaFlex: patches of pictures of any shape.
  EXPECT_THAT(ErrorOf("siglip", {{"model_type", "siglip2"}}),
              AllOf(HasSubstr("siglip2"), HasSubstr("\"siglip\"")));
}

TEST(PlainVitTest, RefusesWhatWouldChangeResults) {
  EXPECT_THAT(ErrorOf("vit", {{"image_size", 64}}), HasSubstr("64×64"));
  EXPECT_THAT(ErrorOf("vit_head", {{"qkv_bias", true}}), HasSubstr("query.bias"));
  EXPECT_THAT(ErrorOf("dinov2", {{"mlp_ratio", 0}}), HasSubstr("mlp_ratio"));
  EXPECT_THAT(ErrorOf("dinov2", {{"use_swiglu_ffn", true}}), HasSubstr("mlp.weights_in"));
  EXPECT_THAT(ErrorOf("dinov2", json::object(), {{"height", 8}, {"width", 48}}), HasSubstr("48×8"));
  EXPECT_THAT(ErrorOf("dinov2", {{"model_type", "dinov2_with_registers"}}),
              HasSubstr("\"dinov2\""));
}

TEST(ResNetTest, RefusesWhatWouldChangeResults) {
  EXPECT_THAT(ErrorOf("resnet", {{"hidden_act", "gelu"}, {"layer_type", "dense"}}),
              AllOf(HasSubstr("hidden_act"), HasSubstr("layer_type")));
  EXPECT_THAT(ErrorOf("resnet", {{"depths", {1, 2, 3}}}), HasSubstr("3 stages"));
  EXPECT_THAT(ErrorOf("resnet", {{"hidden_sizes", {16, "32"}}}), HasSubstr("hidden_sizes"));
  EXPECT_THAT(ErrorOf("resnet_head", {{"layer_type", "basic"}}),
              HasSubstr("resnet.encoder.stages.0.layers.0.layer.0.convolution.weight"));
}

TEST(VisionTowersTest, RefusesImagesOfAnotherSize) {
  const json golden = ReadGolden("clip");
  const base::TempFolder folder;
  EXPECT_TRUE(checkpoint::WriteGoldenFolder(golden, folder.path()).ok());
  auto encoder = VisionEncoder::Load(folder.path(), GoldenPreprocessor(golden));
  ASSERT_TRUE(encoder.ok()) << encoder.status();
  const absl::Status status = (*encoder)
                                  ->Encode({.count = 1,
                                            .height = 48,
                                            .width = 64,
                                            .pixels = base::RecycledBytes(48 * 64 * 3, 0)})
                                  .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("64×48"));
}

}  // namespace
}  // namespace terminus::models::vision
