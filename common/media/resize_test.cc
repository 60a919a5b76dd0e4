#include "common/media/resize.h"

#include <gtest/gtest.h>

#include <utility>

#include "common/media/golden_test_util.h"

namespace terminus::media {
namespace {

struct Case {
  const char* name;
  Filter filter;
};

class ResizeTest : public ::testing::TestWithParam<Case> {
 protected:
  static constexpr std::pair<int, int> kSizes[] = {{16, 16}, {61, 11}, {20, 90},
                                                   {37, 10}, {10, 29}, {150, 7}};

  const Image source_ = ReadGoldenPpm("rgb.png.ppm");
};

TEST_P(ResizeTest, EqualsPillow) {
  for (const auto& [width, height] : kSizes) {
    const std::string name = std::string("resize_") + GetParam().name + "_" +
                             std::to_string(width) + "x" + std::to_string(height) + ".ppm";
    const Image image = Resize(source_, width, height, GetParam().filter);
    EXPECT_EQ(image.width, width);
    EXPECT_EQ(image.height, height);
    EXPECT_EQ(image.rgb, ReadGoldenPpm(name).rgb) << name;
  }
}

Image Crop(const Image& image, const Window& window) {
  Image out{.width = window.width, .height = window.height, .rgb = {}};
  for (int y = 0; y < window.height; ++y) {
    const auto row = image.rgb.begin() + ((window.y + y) * image.width + window.x) * 3;
    out.rgb.insert(out.rgb.end(), row, row + window.width * 3);
  }
  return out;
}

TEST_P(ResizeTest, WindowEqualsCropOfTheWhole) {
  for (const auto& [width, height] : kSizes) {
    const Window window{.x = width / 3, .y = height / 4, .width = width / 2, .height = height / 2};
    const Image part = Resize(source_, width, height, GetParam().filter, window);
    EXPECT_EQ(part.width, window.width);
    EXPECT_EQ(part.height, window.height);
    EXPECT_EQ(part.rgb, Crop(Resize(source_, width, height, GetParam().filter), window).rgb);
  }
}

TEST_P(ResizeTest, SameSizeIsTheSamePicture) {
  EXPECT_EQ(Resize(source_, source_.width, source_.height, GetParam().filter).rgb, source_.rgb);
}

TEST_P(ResizeTest, OnePixelFillsAll) {
  const Image pixel{.width = 1, .height = 1, .rgb = {1, 128, 255}};
  const Image image = Resize(pixel, 5, 3, GetParam().filter);
  for (size_t i = 0; i < image.rgb.size(); ++i) EXPECT_EQ(image.rgb[i], pixel.rgb[i % 3]);
}

INSTANTIATE_TEST_SUITE_P(
    All, ResizeTest,
    ::testing::Values(Case{"nearest", Filter::kNearest}, Case{"box", Filter::kBox},
                      Case{"hamming", Filter::kHamming}, Case{"bilinear", Filter::kBilinear},
                      Case{"bicubic", Filter::kBicubic}, Case{"lanczos", Filter::kLanczos}),
    [](const auto& info) { return info.param.name; });

TEST(CenterWindowTest, OddMarginsLeaveTheSmallerHalfAtTheStart) {
  const Window window = CenterWindow(10, 7, 5, 4);
  EXPECT_EQ(window.x, 2);
  EXPECT_EQ(window.y, 1);
  EXPECT_EQ(window.width, 5);
  EXPECT_EQ(window.height, 4);
}

TEST(CenterWindowTest, RoundedMarginsAreEven) {
  EXPECT_EQ(CenterWindow(10, 7, 5, 6, /*round=*/true).x, 2);   // 2.5
  EXPECT_EQ(CenterWindow(10, 7, 7, 6, /*round=*/true).x, 2);   // 1.5
  EXPECT_EQ(CenterWindow(10, 7, 5, 6, /*round=*/true).y, 0);   // 0.5
  EXPECT_EQ(CenterWindow(10, 10, 8, 6, /*round=*/true).y, 2);  // 2
}

}  // namespace
}  // namespace terminus::media
