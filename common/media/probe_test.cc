#include "common/media/probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/errors.h"
#include "common/media/golden_test_util.h"

namespace terminus::media {
namespace {

using ::testing::HasSubstr;

void ExpectInfo(const std::string& name, ImageFormat format) {
  const auto info = ProbeImage(ReadGolden(name));
  ASSERT_TRUE(info.ok()) << name << ": " << info.status();
  EXPECT_EQ(info->format, format) << name;
  EXPECT_EQ(info->width, 37) << name;
  EXPECT_EQ(info->height, 29) << name;
}

TEST(ProbeImageTest, ReadsFormatAndSize) {
  ExpectInfo("rgb.png", ImageFormat::kPng);
  ExpectInfo("rgb420.jpg", ImageFormat::kJpeg);
  ExpectInfo("progressive.jpg", ImageFormat::kJpeg);
  ExpectInfo("turned.jpg", ImageFormat::kJpeg);
  ExpectInfo("lossy.webp", ImageFormat::kWebp);        // VP8
  ExpectInfo("lossless.webp", ImageFormat::kWebp);     // VP8L
  ExpectInfo("lossy_alpha.webp", ImageFormat::kWebp);  // VP8X
}

TEST(ProbeImageTest, NoBytes) {
  EXPECT_EQ(base::Reason(ProbeImage("").status()), base::kReasonEmptyItem);
}

TEST(ProbeImageTest, UnknownMagicNamesWhatIsSupported) {
  for (const char* bytes : {"GIF89a", "text", "\x89PNG", "RIFF1234WAVEfmt "}) {
    const absl::Status status = ProbeImage(bytes).status();
    EXPECT_EQ(base::Reason(status), base::kReasonUnsupportedFormat) << bytes;
    EXPECT_THAT(std::string(status.message()), HasSubstr("JPEG, PNG and WebP"));
  }
}

TEST(ProbeImageTest, HeadersCutOffAreUndecodable) {
  for (const char* name : {"rgb.png", "rgb420.jpg", "lossy.webp", "lossless.webp"}) {
    const absl::Status status = ProbeImage(ReadGolden(name).substr(0, 20)).status();
    EXPECT_EQ(base::Reason(status), base::kReasonImageUndecodable) << name;
  }
}

TEST(ProbeImageTest, NoPixelsAreUndecodable) {
  std::string png = ReadGolden("rgb.png");
  png.replace(16, 4, 4, '\0');
  const absl::Status status = ProbeImage(png).status();
  EXPECT_EQ(base::Reason(status), base::kReasonImageUndecodable);
  EXPECT_EQ(status.message(), "PNG: its header says 0 x 29 pixels");
}

}  // namespace
}  // namespace terminus::media
