#include "common/media/orientation.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/media/golden_test_util.h"

namespace terminus::media {
namespace {

// The red channel, row by row.
std::vector<int> Reds(const Image& image) {
  std::vector<int> reds;
  for (size_t i = 0; i < image.rgb.size(); i += 3) reds.push_back(image.rgb[i]);
  return reds;
}

// 1 2 3
// 4 5 6, each with two other channels of its own.
Image SixPixels() {
  Image image{.width = 3, .height = 2, .rgb = {}};
  for (uint8_t i = 1; i <= 6; ++i) {
    for (const int channel : {i + 0, i + 100, i + 200}) {
      image.rgb.push_back(static_cast<uint8_t>(channel));
    }
  }
  return image;
}

TEST(TurnTest, EachOrientation) {
  const std::vector<int> expected[] = {{1, 2, 3, 4, 5, 6}, {3, 2, 1, 6, 5, 4}, {6, 5, 4, 3, 2, 1},
                                       {4, 5, 6, 1, 2, 3}, {1, 4, 2, 5, 3, 6}, {4, 1, 5, 2, 6, 3},
                                       {6, 3, 5, 2, 4, 1}, {3, 6, 2, 5, 1, 4}};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const Image image = Turn(SixPixels(), orientation);
    EXPECT_EQ(image.width, orientation < 5 ? 3 : 2) << orientation;
    EXPECT_EQ(image.height, orientation < 5 ? 2 : 3) << orientation;
    EXPECT_EQ(Reds(image), expected[orientation - 1]) << orientation;
    for (size_t i = 0; i < image.rgb.size(); i += 3) {
      EXPECT_EQ(image.rgb[i + 1], image.rgb[i] + 100);
      EXPECT_EQ(image.rgb[i + 2], image.rgb[i] + 200);
    }
  }
}

TEST(ReadOrientationTest, OfEachFormat) {
  EXPECT_EQ(*ReadOrientation(ReadGolden("turned.jpg"), ImageFormat::kJpeg), 6);
  EXPECT_EQ(*ReadOrientation(ReadGolden("turned.png"), ImageFormat::kPng), 6);
  EXPECT_EQ(*ReadOrientation(ReadGolden("metadata.webp"), ImageFormat::kWebp), 6);
  EXPECT_EQ(*ReadOrientation(ReadGolden("rgb444.jpg"), ImageFormat::kJpeg), 1);
  EXPECT_EQ(*ReadOrientation(ReadGolden("rgb.png"), ImageFormat::kPng), 1);
  EXPECT_EQ(*ReadOrientation(ReadGolden("lossy.webp"), ImageFormat::kWebp), 1);
}

int OfExif(const std::string& exif) { return *OrientationOf(exif, absl::nullopt); }

std::string BigEndian(int value, int type = 3) {
  std::string tiff("MM\0*\0\0\0\x08\0\x01\x01\x12\0.\0\0\0\x01\0.\0\0\0\0\0\0", 26);
  tiff[13] = static_cast<char>(type);
  tiff[19] = static_cast<char>(value);
  return tiff;
}

TEST(OrientationTest, EitherByteOrderAndWithTheName) {
  const std::string little("II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x08\0\0\0\0\0\0\0", 26);
  EXPECT_EQ(OfExif(little), 8);
  EXPECT_EQ(OfExif(BigEndian(5)), 5);
  EXPECT_EQ(OfExif(std::string("Exif\0\0", 6) + BigEndian(5)), 5);
}

TEST(OrientationTest, NonsenseIsNotTurned) {
  EXPECT_EQ(OfExif(""), 1);
  EXPECT_EQ(OfExif(BigEndian(0)), 1);
  EXPECT_EQ(OfExif(BigEndian(9)), 1);
  EXPECT_EQ(OfExif(BigEndian(5, /*type=*/2)), 1);
  const std::string whole = BigEndian(5);
  for (size_t length = 8; length < 20; ++length) {
    EXPECT_EQ(OfExif(whole.substr(0, length)), 1) << length;
  }
}

TEST(OrientationTest, ExifThatIsNoTiffIsAnError) {
  for (const std::string exif : {"M", "MM", "Exif", "nonsense"}) {
    EXPECT_EQ(OrientationOf(exif, absl::nullopt).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

TEST(OrientationTest, XmpCountsWhereExifHasNoTag) {
  constexpr char kXmp[] = R"(<x tiff:Orientation="6"/> <tiff:Orientation>3</tiff:Orientation>)";
  EXPECT_EQ(*OrientationOf(absl::nullopt, kXmp), 6);
  EXPECT_EQ(*OrientationOf("", "<tiff:Orientation>3</tiff:Orientation>"), 3);
  EXPECT_EQ(*OrientationOf(BigEndian(5), kXmp), 5);
  EXPECT_EQ(*OrientationOf(absl::nullopt, R"(tiff:Orientation="9")"), 1);
  EXPECT_EQ(*OrientationOf(absl::nullopt, "tiff:Orientation"), 1);
}

TEST(ReadOrientationTest, CutOffFilesStayInside) {
  for (const auto& [name, format] :
       {std::pair("turned.jpg", ImageFormat::kJpeg), std::pair("turned.png", ImageFormat::kPng),
        std::pair("metadata.webp", ImageFormat::kWebp)}) {
    const std::string whole = ReadGolden(name);
    for (size_t length = 2; length < whole.size(); ++length) {
      // On the heap, so that the sanitizer sees its end.
      const std::vector<char> part(whole.begin(), whole.begin() + static_cast<int64_t>(length));
      const auto orientation = ReadOrientation({part.data(), part.size()}, format);
      EXPECT_TRUE(!orientation.ok() || *orientation == 1 || *orientation == 6)
          << name << " " << length;
    }
  }
}

}  // namespace
}  // namespace terminus::media
