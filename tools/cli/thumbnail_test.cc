#include "tools/cli/thumbnail.h"

#include "common/base/file.h"
#include "common/media/decode.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/cli/test_images.h"

namespace terminus::tools::cli {
namespace {

TEST(ThumbnailTest, ShrinksTheLongerSideAndKeepsTheShape) {
  auto thumbnail = MakeThumbnail(MakeTestJpeg(800, 400, 90), 320);
  ASSERT_TRUE(thumbnail.ok()) << thumbnail.status();
  auto pixels = media::DecodeImage(*thumbnail, {});
  ASSERT_TRUE(pixels.ok()) << pixels.status();
  EXPECT_EQ(pixels->width, 320);
  EXPECT_EQ(pixels->height, 160);
  EXPECT_NEAR(pixels->rgb[0], 90, 3);
}

TEST(ThumbnailTest, ThinImagesKeepAPixel) {
  auto thumbnail = MakeThumbnail(MakeTestJpeg(2000, 2, 90), 100);
  ASSERT_TRUE(thumbnail.ok()) << thumbnail.status();
  EXPECT_EQ(media::DecodeImage(*thumbnail, {})->height, 1);
}

TEST(ThumbnailTest, SmallImagesKeepTheirSize) {
  auto thumbnail = MakeThumbnail(MakeTestJpeg(20, 30, 90), 320);
  ASSERT_TRUE(thumbnail.ok()) << thumbnail.status();
  EXPECT_EQ(media::DecodeImage(*thumbnail, {})->height, 30);
}

TEST(ThumbnailTest, VideosShowTheirMiddle) {
  const auto file = base::ReadFile("tests/golden/media/video/h264.mp4", 1 << 20);
  ASSERT_TRUE(file.ok()) << file.status();
  const auto thumbnail = MakeThumbnail(*file, 32);
  ASSERT_TRUE(thumbnail.ok()) << thumbnail.status();
  EXPECT_EQ(media::DecodeImage(*thumbnail, {})->width, 32);
  EXPECT_EQ(media::DecodeImage(*thumbnail, {})->height, 24);
  EXPECT_FALSE(MakeThumbnail("GIF89a, or so it says", 32).ok());
}

TEST(ThumbnailTest, BrokenImagesAreErrors) {
  EXPECT_FALSE(MakeThumbnail("\x89PNG\r\n\x1a\n", 320).ok());
  EXPECT_FALSE(MakeThumbnail("", 320).ok());
}

}  // namespace
}  // namespace terminus::tools::cli
