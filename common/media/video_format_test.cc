#include "common/media/video_format.h"

#include <gtest/gtest.h>

#include <string>

namespace terminus::media {
namespace {

std::string Box(const std::string& type, const std::string& body) {
  const size_t size = 8 + body.size();
  return std::string({'\0', '\0', static_cast<char>(size >> 8), static_cast<char>(size)}) + type +
         body;
}

TEST(SniffVideoTest, BytesDecide) {
  EXPECT_EQ(SniffVideo(Box("ftyp", "isom")), VideoContainer::kMp4);
  EXPECT_EQ(SniffVideo(Box("moov", "")), VideoContainer::kMp4);
  EXPECT_EQ(SniffVideo("\x1a\x45\xdf\xa3"), VideoContainer::kMatroska);
  EXPECT_EQ(SniffVideo("GIF89a"), VideoContainer::kGif);
  for (const std::string& other :
       {std::string(), std::string("ftyp"), std::string("\x89PNG\r\n\x1a\n"), std::string("GIF88a"),
        Box("ftyp", "avif"), Box("ftyp", "heic"), std::string("RIFF....AVI LIST")}) {
    EXPECT_EQ(SniffVideo(other), absl::nullopt) << other;
  }
}

void ExpectCutOffBeforeItsEnd(const std::string& bytes, VideoContainer container, size_t from) {
  EXPECT_FALSE(IsCutOff(bytes, container));
  EXPECT_FALSE(IsCutOff(bytes + std::string(3, '\0'), container)) << "bytes behind the end";
  for (size_t length = from; length < bytes.size(); ++length) {
    EXPECT_TRUE(IsCutOff(absl::string_view(bytes).substr(0, length), container)) << length;
  }
}

TEST(IsCutOffTest, Mp4) {
  const std::string first = Box("ftyp", "isom");
  std::string large = std::string("\0\0\0\1mdat\0\0\0\0\0\0\0\x14", 16) + "data";
  EXPECT_FALSE(IsCutOff(first + large, VideoContainer::kMp4));
  ExpectCutOffBeforeItsEnd(first + large, VideoContainer::kMp4, first.size() + 8);
  // A box of size 0 goes to the end, wherever that is.
  EXPECT_FALSE(IsCutOff(first + std::string("\0\0\0\0mdat", 8) + "da", VideoContainer::kMp4));
}

TEST(IsCutOffTest, Matroska) {
  const std::string header = std::string("\x1a\x45\xdf\xa3\x82") + "ab";
  const std::string segment = "\x18\x53\x80\x67";
  ExpectCutOffBeforeItsEnd(header + segment + "\x84wxyz", VideoContainer::kMatroska, 4);
  ExpectCutOffBeforeItsEnd(header + segment + std::string("\x40\x04wxyz", 6),
                           VideoContainer::kMatroska, header.size());
  // Of unknown size.
  EXPECT_FALSE(IsCutOff(header + segment + "\xffwx", VideoContainer::kMatroska));
}

TEST(IsCutOffTest, Gif) {
  const std::string screen("GIF89a\1\0\1\0\x80\0\0aaabbb", 19);
  const std::string extension("\x21\xf9\4\0\0\0\0\0", 8);
  const std::string image("\x2c\0\0\0\0\1\0\1\0\0\2\2\x44\1\0", 15);
  ExpectCutOffBeforeItsEnd(screen + extension + image + image + ";", VideoContainer::kGif, 6);
}

}  // namespace
}  // namespace terminus::media
