#include "common/media/video/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace terminus::media::video {
namespace {

using ::testing::ElementsAre;

constexpr int32_t kOne = 1 << 16;

// The reds of a picture of 3 × 2 with the reds 1 to 6, as it is shown.
std::vector<int> Shown(int32_t a, int32_t b, int32_t c, int32_t d) {
  std::vector<uint8_t> rgb(2 * 12);
  for (int i = 0; i < 6; ++i) rgb[(i / 3) * 12 + (i % 3) * 3] = static_cast<uint8_t>(i + 1);
  const Orientation orientation = Orientation::FromMatrix({a, b, 0, c, d, 0, 0, 0, 1 << 30});
  const Image image = orientation.Apply(rgb.data(), 12, 3, 2);
  EXPECT_EQ(image.width, orientation.transposed() ? 2 : 3);
  EXPECT_EQ(image.width * image.height, 6);
  std::vector<int> reds;
  for (int i = 0; i < 6; ++i) reds.push_back(image.rgb[i * 3]);
  return reds;
}

TEST(OrientationTest, QuarterTurnsAndMirrors) {
  EXPECT_THAT(Shown(kOne, 0, 0, kOne), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(Shown(-kOne, 0, 0, -kOne), ElementsAre(6, 5, 4, 3, 2, 1));
  EXPECT_THAT(Shown(-kOne, 0, 0, kOne), ElementsAre(3, 2, 1, 6, 5, 4));
  EXPECT_THAT(Shown(kOne, 0, 0, -kOne), ElementsAre(4, 5, 6, 1, 2, 3));
  // Clockwise: what was right is below.
  EXPECT_THAT(Shown(0, kOne, -kOne, 0), ElementsAre(4, 1, 5, 2, 6, 3));
  EXPECT_THAT(Shown(0, -kOne, kOne, 0), ElementsAre(3, 6, 2, 5, 1, 4));
  EXPECT_THAT(Shown(0, kOne, kOne, 0), ElementsAre(1, 4, 2, 5, 3, 6));
}

TEST(OrientationTest, OtherAnglesAreNone) {
  EXPECT_THAT(Shown(kOne, kOne, -kOne, kOne), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(Shown(0, 0, 0, 0), ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST(ConverterTest, TransparencyIsLaidOverWhite) {
  const FramePtr frame(av_frame_alloc());
  frame->format = AV_PIX_FMT_RGBA;
  frame->width = 2;
  frame->height = 1;
  ASSERT_EQ(av_frame_get_buffer(frame.get(), 0), 0);
  const uint8_t pixels[] = {10, 20, 30, 255, 10, 20, 30, 0};
  std::copy(std::begin(pixels), std::end(pixels), frame->data[0]);
  const auto image = Converter(Orientation()).Convert(*frame);
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_THAT(image->rgb, ElementsAre(10, 20, 30, 255, 255, 255));
}

}  // namespace
}  // namespace terminus::media::video
