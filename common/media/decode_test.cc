#include "common/media/decode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "common/base/errors.h"
#include "common/media/golden_test_util.h"

namespace terminus::media {
namespace {

using ::testing::HasSubstr;

class DecodeGoldenTest : public ::testing::TestWithParam<const char*> {};

TEST_P(DecodeGoldenTest, EqualsPillow) {
  const auto image = DecodeImage(ReadGolden(GetParam()), {});
  ASSERT_TRUE(image.ok()) << image.status();
  const Image expected = ReadGoldenPpm(std::string(GetParam()) + ".ppm");
  EXPECT_EQ(image->width, expected.width);
  EXPECT_EQ(image->height, expected.height);
  EXPECT_EQ(image->rgb, expected.rgb);
}

TEST_P(DecodeGoldenTest, CutOffBeforeTheLastPixelIsAnError) {
  const std::string bytes = ReadGolden(GetParam());
  for (size_t length = 1; length < bytes.size(); ++length) {
    const auto image = DecodeImage(absl::string_view(bytes).substr(0, length), {});
    if (image.ok()) {
      // What is cut off stands behind its image data.
      ASSERT_FALSE(absl::EndsWith(GetParam(), ".webp"));
      ASSERT_EQ(image->rgb, ReadGoldenPpm(std::string(GetParam()) + ".ppm").rgb) << length;
      continue;
    }
    ASSERT_FALSE(image.ok()) << length << " of " << bytes.size() << " bytes";
    ASSERT_EQ(image.status().code(), absl::StatusCode::kInvalidArgument);
    // A file of less than its magic is of no known format.
    if (length >= 12) {
      ASSERT_EQ(base::Reason(image.status()), base::kReasonImageUndecodable) << length;
    }
  }
}

TEST_P(DecodeGoldenTest, FlippedBytesNeverCrash) {
  std::string bytes = ReadGolden(GetParam());
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (const char flip : {'\x01', '\xff'}) {
      bytes[at] = static_cast<char>(bytes[at] ^ flip);
      const auto image = DecodeImage(bytes, {.max_pixels = 10'000});
      if (image.ok()) {
        ASSERT_EQ(image->rgb.size(), static_cast<size_t>(image->width) * image->height * 3);
      } else {
        ASSERT_EQ(image.status().code(), absl::StatusCode::kInvalidArgument);
      }
      bytes[at] = static_cast<char>(bytes[at] ^ flip);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, DecodeGoldenTest,
                         ::testing::Values("rgb.png", "rgba.png", "grey.png", "grey_alpha.png",
                                           "bits.png", "palette.png", "palette_transparent.png",
                                           "rgb_transparent.png", "rgb16.png", "grey16.png",
                                           "turned.png", "interlaced.png", "rgb420.jpg",
                                           "rgb422.jpg", "rgb444.jpg", "grey.jpg", "cmyk.jpg",
                                           "progressive.jpg", "restarts.jpg", "turned.jpg",
                                           "lossy.webp", "lossless.webp", "lossy_alpha.webp",
                                           "lossless_alpha.webp", "metadata.webp"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

// Pictures of which transformers' load_image() makes something else.
TEST(DecodeImageTest, EqualsLoadImageOfTransformers) {
  for (const std::string name : {"rgba.png", "grey_alpha.png", "palette_transparent.png",
                                 "rgb_transparent.png", "grey16.png", "turned.png", "turned.jpg",
                                 "metadata.webp", "lossy_alpha.webp", "lossless_alpha.webp"}) {
    const auto image = DecodeImage(ReadGolden(name), {}, Conversion::kLikeTransformers);
    ASSERT_TRUE(image.ok()) << name << ": " << image.status();
    const Image expected = ReadGoldenPpm(name + ".loaded.ppm");
    EXPECT_EQ(image->width, expected.width) << name;
    EXPECT_EQ(image->height, expected.height) << name;
    EXPECT_EQ(image->rgb, expected.rgb) << name;
  }
}

TEST(DecodeImageTest, TheRestIsTheSameForBoth) {
  for (const std::string name : {"rgb.png", "grey.png", "bits.png", "palette.png", "rgb16.png",
                                 "interlaced.png", "cmyk.jpg", "grey.jpg", "lossless.webp"}) {
    const auto image = DecodeImage(ReadGolden(name), {}, Conversion::kLikeTransformers);
    ASSERT_TRUE(image.ok()) << name << ": " << image.status();
    EXPECT_EQ(image->rgb, ReadGoldenPpm(name + ".ppm").rgb) << name;
  }
}

// The header of a PNG of that size, and nothing else.
std::string PngHeader(uint32_t width, uint32_t height) {
  std::string png = ReadGolden("rgb.png").substr(0, 33);
  for (int i = 0; i < 4; ++i) {
    png[16 + i] = static_cast<char>(width >> (24 - 8 * i));
    png[20 + i] = static_cast<char>(height >> (24 - 8 * i));
  }
  return png;
}

TEST(DecodeImageTest, RefusesTooManyPixelsByTheHeader) {
  const auto image = DecodeImage(PngHeader(60000, 60000), {});
  EXPECT_EQ(base::Reason(image.status()), base::kReasonImageTooLarge);
  EXPECT_EQ(image.status().message(), "60000 x 60000 pixels, limit 50000000");
}

TEST(DecodeImageTest, RefusesPixelsThatOverflow) {
  // The product of the first pair overflows 32 bits, that of the second 64.
  const auto image = DecodeImage(PngHeader(65535, 65535), {});
  EXPECT_EQ(image.status().message(), "65535 x 65535 pixels, limit 50000000");
  const auto larger = DecodeImage(PngHeader(0xffffffff, 0xffffffff), {});
  EXPECT_EQ(base::Reason(larger.status()), base::kReasonImageTooLarge);
}

TEST(DecodeImageTest, RefusesLongSides) {
  const auto image = DecodeImage(PngHeader(1, 70000), {});
  EXPECT_EQ(base::Reason(image.status()), base::kReasonImageTooLarge);
  EXPECT_EQ(image.status().message(), "1 x 70000 pixels, limit 65535 a side");
}

TEST(DecodeImageTest, LimitIsInclusive) {
  const std::string png = ReadGolden("rgb.png");
  EXPECT_TRUE(DecodeImage(png, {.max_pixels = 37 * 29}).ok());
  EXPECT_FALSE(DecodeImage(png, {.max_pixels = 37 * 29 - 1}).ok());
}

// A chunk of a PNG with the wrong checksum.
std::string Chunk(const std::string& name, const std::string& data) {
  const auto size = static_cast<uint32_t>(data.size());
  std::string chunk;
  for (int shift = 24; shift >= 0; shift -= 8) chunk += static_cast<char>(size >> shift);
  return chunk + name + data + "....";
}

TEST(DecodeImageTest, AnswersChecksumsOnlyBeforeTheImageData) {
  constexpr size_t kHeaderEnd = 33;
  std::string png = ReadGolden("rgb.png");
  const std::string before =
      png.substr(0, kHeaderEnd) + Chunk("teXt", "x") + png.substr(kHeaderEnd);
  const auto image = DecodeImage(before, {});
  EXPECT_EQ(base::Reason(image.status()), base::kReasonImageUndecodable);
  EXPECT_THAT(std::string(image.status().message()), HasSubstr("teXt: wrong checksum"));
  png.insert(png.size() - 12, Chunk("teXt", "x"));
  EXPECT_TRUE(DecodeImage(png, {}).ok());
}

TEST(DecodeImageTest, RefusesTextThatIsMoreThanAPicture) {
  const std::string key("key\0", 4);
  std::string png = ReadGolden("rgb.png");
  png.insert(png.size() - 12, Chunk("tEXt", key + std::string(65 << 20, 'x')));
  const auto image = DecodeImage(png, {});
  EXPECT_EQ(base::Reason(image.status()), base::kReasonImageUndecodable);
  EXPECT_THAT(std::string(image.status().message()), HasSubstr("too much text"));
}

TEST(DecodeImageTest, AnAnimationIsItsFirstFrame) {
  for (const std::string name : {"animated.webp", "animated_part.webp", "animated.png"}) {
    const auto image = DecodeImage(ReadGolden(name), {}, Conversion::kLikeTransformers);
    ASSERT_TRUE(image.ok()) << name << ": " << image.status();
    EXPECT_EQ(image->rgb, ReadGoldenPpm(name + ".loaded.ppm").rgb) << name;
  }
}

TEST(DecodeImageTest, BytesBehindTheEndAreIgnored) {
  for (const char* name : {"rgb.png", "rgb420.jpg", "lossy.webp"}) {
    EXPECT_TRUE(DecodeImage(ReadGolden(name) + "trailer", {}).ok()) << name;
  }
}

}  // namespace
}  // namespace terminus::media
