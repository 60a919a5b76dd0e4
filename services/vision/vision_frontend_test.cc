#include "services/vision/vision_frontend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <webp/encode.h>

#include "common/base/errors.h"

namespace terminus::services::vision {
namespace {

// A losslessly coded WebP of one colour.
std::string Picture(int width, int height, uint8_t red, uint8_t green, uint8_t blue) {
  std::vector<uint8_t> rgb;
  for (int i = 0; i < width * height; ++i) {
    rgb.insert(rgb.end(), {red, green, blue});
  }
  uint8_t* out = nullptr;
  const size_t size = WebPEncodeLosslessRGB(rgb.data(), width, height, width * 3, &out);
  std::string bytes(reinterpret_cast<char*>(out), size);
  WebPFree(out);
  return bytes;
}

// The same of one colour that lets all through.
std::string Transparent(int width, int height, uint8_t red, uint8_t green, uint8_t blue) {
  std::vector<uint8_t> rgba;
  for (int i = 0; i < width * height; ++i) {
    // Not quite 0, where encoders may change the colour.
    rgba.insert(rgba.end(), {red, green, blue, 1});
  }
  uint8_t* out = nullptr;
  const size_t size = WebPEncodeLosslessRGBA(rgba.data(), width, height, width * 4, &out);
  std::string bytes(reinterpret_cast<char*>(out), size);
  WebPFree(out);
  return bytes;
}

class VisionFrontendTest : public testing::Test {
 protected:
  serving::Prepared<executor::ImageBatch> Prepare(
      const v1::EncodeBatchRequest& request,
      media::Conversion conversion = media::Conversion::kOverWhite) {
    auto preprocessor = media::ImagePreprocessor::FromJson(R"({
      "size": {"shortest_edge": 36}, "resample": 3, "do_center_crop": true,
      "crop_size": {"height": 32, "width": 32},
      "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]})",
                                                           conversion);
    EXPECT_TRUE(preprocessor.ok()) << preprocessor.status();
    config::Limits limits;
    limits.max_image_pixels = 10'000;
    const std::vector<absl::Status> admitted(static_cast<size_t>(request.items_size()));
    return VisionFrontend(*preprocessor, limits).Prepare(request, admitted, pool_);
  }

  base::ThreadPool pool_{"test", 2, 64};
};

TEST_F(VisionFrontendTest, GoodImagesBecomeRowsInOrderAndBadOnesFailAlone) {
  v1::EncodeBatchRequest request;
  const std::string red = Picture(50, 40, 255, 0, 0);
  for (const std::string& bytes :
       {red, std::string(), red.substr(0, red.size() / 2), std::string("GIF89a no"),
        Picture(200, 200, 9, 9, 9), Picture(40, 60, 0, 0, 255)}) {
    request.add_items()->mutable_content()->set_image(bytes);
  }
  request.add_items()->mutable_content()->set_text("not an image");
  const auto prepared = Prepare(request);
  ASSERT_EQ(prepared.batch.count, 2);
  EXPECT_EQ(prepared.batch.height, 32);
  EXPECT_EQ(prepared.batch.width, 32);
  const size_t row = 32 * 32 * 3;
  ASSERT_EQ(prepared.batch.pixels.size(), 2 * row);
  EXPECT_EQ(prepared.batch.pixels[0], 255);
  EXPECT_EQ(prepared.batch.pixels[2], 0);
  EXPECT_EQ(prepared.batch.pixels[row], 0);
  EXPECT_EQ(prepared.batch.pixels[row + 2], 255);
  EXPECT_EQ(prepared.items[0].cost.patches(), 1u);
  EXPECT_EQ(base::Reason(prepared.items[1].status), "EMPTY_ITEM");
  EXPECT_EQ(base::Reason(prepared.items[2].status), "IMAGE_UNDECODABLE");
  EXPECT_EQ(base::Reason(prepared.items[3].status), "UNSUPPORTED_FORMAT");
  EXPECT_EQ(base::Reason(prepared.items[4].status), "IMAGE_TOO_LARGE");
  EXPECT_EQ(base::Field(prepared.items[4].status), "image");
  EXPECT_TRUE(prepared.items[5].status.ok());
  EXPECT_EQ(base::Reason(prepared.items[6].status), "UNSUPPORTED_MODALITY");
}

TEST_F(VisionFrontendTest, ItemsThatAreNoImagesTakeNoPixels) {
  v1::EncodeBatchRequest request;
  for (int i = 0; i < 1000; ++i) {
    request.add_items()->mutable_content()->set_image("GIF89a no");
  }
  const auto prepared = Prepare(request);
  EXPECT_EQ(prepared.items.size(), 1000U);
  EXPECT_EQ(prepared.batch.count, 0);
  EXPECT_EQ(prepared.batch.pixels.capacity(), 0U);
}

TEST_F(VisionFrontendTest, TransparencyIsAsTheModelHasIt) {
  v1::EncodeBatchRequest request;
  request.add_items()->mutable_content()->set_image(Transparent(40, 40, 200, 30, 10));
  const auto white = Prepare(request).batch;
  ASSERT_EQ(white.count, 1);
  EXPECT_EQ(white.pixels[1], 254);
  const auto dropped = Prepare(request, media::Conversion::kLikeTransformers).batch;
  ASSERT_EQ(dropped.count, 1);
  EXPECT_EQ(dropped.pixels[1], 30);
}

}  // namespace
}  // namespace terminus::services::vision
