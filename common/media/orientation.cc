#include "common/media/orientation.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "common/media/jpeg_markers.h"

namespace terminus::media {
namespace {

constexpr char kExifIdBytes[] = "Exif\0";  // and the terminating 0: six bytes
constexpr absl::string_view kExifId(kExifIdBytes, 6);
constexpr uint8_t kApp1 = 0xe1;
constexpr uint8_t kStartOfScan = 0xda;

// Bytes as numbers of one order; 0 beyond the end.
class Numbers {
 public:
  Numbers(absl::string_view bytes, bool little) : bytes_(bytes), little_(little) {}

  uint32_t Read(size_t at, size_t width) const {
    if (at > bytes_.size() || width > bytes_.size() - at) return 0;
    uint32_t number = 0;
    for (size_t i = 0; i < width; ++i) {
      const size_t from = little_ ? at + width - 1 - i : at + i;
      number = number << 8 | static_cast<uint8_t>(bytes_[from]);
    }
    return number;
  }

 private:
  absl::string_view bytes_;
  bool little_;
};

// Of a TIFF structure, what the first directory says.
int OrientationOfTiff(absl::string_view tiff) {
  constexpr uint32_t kTag = 0x0112;
  constexpr uint32_t kShort = 3;
  constexpr uint32_t kLong = 4;
  constexpr size_t kEntryBytes = 12;
  const bool little = absl::StartsWith(tiff, "II");
  if (!little && !absl::StartsWith(tiff, "MM")) return 1;
  const Numbers numbers(tiff, little);
  if (numbers.Read(2, 2) != 42) return 1;
  const size_t directory = numbers.Read(4, 4);
  const size_t entries = numbers.Read(directory, 2);
  for (size_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + i * kEntryBytes;
    if (entry >= tiff.size()) return 1;
    if (numbers.Read(entry, 2) != kTag) continue;
    const uint32_t type = numbers.Read(entry + 2, 2);
    if (type != kShort && type != kLong) return 1;
    const uint32_t value = numbers.Read(entry + 8, type == kShort ? 2 : 4);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

absl::string_view ExifOfJpeg(absl::string_view file) {
  JpegMarkers markers(file);
  while (const auto segment = markers.Next()) {
    if (segment->marker == kStartOfScan || segment->marker == kJpegEoi) break;
    if (segment->marker == kApp1 && absl::StartsWith(segment->payload, kExifId)) {
      return segment->payload;
    }
  }
  return {};
}

// Length (big-endian), name, data, checksum.
absl::string_view ExifOfPng(absl::string_view file) {
  constexpr size_t kMagicBytes = 8;
  constexpr size_t kFramingBytes = 12;
  file.remove_prefix(std::min(kMagicBytes, file.size()));
  while (file.size() >= kFramingBytes) {
    const size_t length = Numbers(file, /*little=*/false).Read(0, 4);
    if (length > file.size() - kFramingBytes) break;
    if (file.substr(4, 4) == "eXIf") return file.substr(8, length);
    file.remove_prefix(length + kFramingBytes);
  }
  return {};
}

// Name, length (little-endian), data, padded to an even length.
absl::string_view ExifOfWebp(absl::string_view file) {
  constexpr size_t kRiffBytes = 12;
  constexpr size_t kFramingBytes = 8;
  file.remove_prefix(std::min(kRiffBytes, file.size()));
  while (file.size() >= kFramingBytes) {
    const size_t length = Numbers(file, /*little=*/true).Read(4, 4);
    if (length > file.size() - kFramingBytes) break;
    if (absl::StartsWith(file, "EXIF")) return file.substr(kFramingBytes, length);
    file.remove_prefix(std::min(file.size(), kFramingBytes + length + length % 2));
  }
  return {};
}

struct Pixel {
  uint8_t rgb[3];
};

Image Transpose(const Image& image) {
  Image out{.width = image.height, .height = image.width, .rgb = {}};
  out.rgb.resize(image.rgb.size());
  const size_t width = image.width;
  const size_t height = image.height;
  for (size_t y = 0; y < height; ++y) {
    for (size_t x = 0; x < width; ++x) {
      std::memcpy(&out.rgb[(x * height + y) * 3], &image.rgb[(y * width + x) * 3], 3);
    }
  }
  return out;
}

void MirrorRows(Image* image) {
  auto* const pixels = reinterpret_cast<Pixel*>(image->rgb.data());
  for (int y = 0; y < image->height; ++y) {
    Pixel* const row = pixels + static_cast<size_t>(y) * image->width;
    std::reverse(row, row + image->width);
  }
}

void MirrorColumns(Image* image) {
  const size_t row = static_cast<size_t>(image->width) * 3;
  for (int top = 0, bottom = image->height - 1; top < bottom; ++top, --bottom) {
    std::swap_ranges(&image->rgb[top * row], &image->rgb[top * row] + row,
                     &image->rgb[bottom * row]);
  }
}

}  // namespace

int ReadOrientation(absl::string_view file, ImageFormat format) {
  absl::string_view exif;
  switch (format) {
    case ImageFormat::kJpeg:
      exif = ExifOfJpeg(file);
      break;
    case ImageFormat::kPng:
      exif = ExifOfPng(file);
      break;
    case ImageFormat::kWebp:
      exif = ExifOfWebp(file);
      break;
  }
  return OrientationOfTiff(absl::StripPrefix(exif, kExifId));
}

Image Turn(Image image, int orientation) {
  // From 5 on the sides change places, and what follows is seen from there.
  if (orientation >= 5) image = Transpose(image);
  const bool mirror_rows =
      orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
  const bool mirror_columns =
      orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
  if (mirror_rows) MirrorRows(&image);
  if (mirror_columns) MirrorColumns(&image);
  return image;
}

}  // namespace terminus::media
