#include "common/media/orientation.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <utility>

#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "common/media/codecs.h"
#include "common/media/jpeg_head.h"
#include "common/media/png_chunks.h"

namespace terminus::media {
namespace {

constexpr char kExifIdBytes[] = "Exif\0";  // and the terminating 0: six bytes
constexpr absl::string_view kExifId(kExifIdBytes, 6);

// The value of a picture that has the tag, but no number in it.
constexpr int kNotTurned = 1;

// Bytes as numbers of one order. Reads only what is there.
class Numbers {
 public:
  Numbers(absl::string_view bytes, bool little) : bytes_(bytes), little_(little) {}

  bool Has(size_t at, size_t width) const {
    return at <= bytes_.size() && width <= bytes_.size() - at;
  }

  uint32_t Read(size_t at, size_t width) const {
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

// Bytes of one value of a TIFF type; 0 for a type that Pillow does not know.
size_t BytesOfType(uint32_t type) {
  constexpr size_t kBytes[] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8};
  return type < std::size(kBytes) ? kBytes[type] : 0;
}

// One entry of a TIFF directory.
constexpr size_t kEntryBytes = 12;
constexpr size_t kInlineBytes = 4;

// The value of the tag Orientation in the entry at `entry`, whose value stands in it.
int OrientationOfEntry(const Numbers& numbers, size_t entry, uint32_t type, uint64_t count) {
  constexpr uint32_t kShort = 3;
  constexpr uint32_t kLong = 4;
  constexpr uint32_t kSignedShort = 8;
  constexpr uint32_t kSignedLong = 9;
  constexpr uint32_t kDirectory = 13;
  const bool is_short = type == kShort || type == kSignedShort;
  const bool is_long = type == kLong || type == kSignedLong || type == kDirectory;
  if (count != 1 || (!is_short && !is_long)) return kNotTurned;
  const uint32_t value = numbers.Read(entry + 8, is_short ? 2 : 4);
  return value >= 1 && value <= 8 ? static_cast<int>(value) : kNotTurned;
}

// What the first directory of a TIFF structure says; nothing where it does not have the tag. Pillow
// stops at a value that stands elsewhere and is cut off.
absl::optional<int> OrientationOfDirectory(const Numbers& numbers, size_t directory,
                                           size_t file_bytes) {
  constexpr uint32_t kTag = 0x0112;
  if (!numbers.Has(directory, 2)) return absl::nullopt;
  const size_t entries = numbers.Read(directory, 2);
  uint64_t elsewhere = 0;
  for (size_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + i * kEntryBytes;
    if (!numbers.Has(entry, kEntryBytes)) return absl::nullopt;
    const uint32_t type = numbers.Read(entry + 2, 2);
    const uint64_t count = numbers.Read(entry + 4, 4);
    const uint64_t bytes = count * BytesOfType(type);
    if (bytes == 0) continue;
    const bool is_orientation = numbers.Read(entry, 2) == kTag;
    if (bytes <= kInlineBytes) {
      if (is_orientation) return OrientationOfEntry(numbers, entry, type, count);
      continue;
    }
    elsewhere += bytes;
    if (elsewhere > file_bytes) continue;
    if (!numbers.Has(numbers.Read(entry + 8, 4), bytes)) return absl::nullopt;
    if (is_orientation) return kNotTurned;
  }
  return absl::nullopt;
}

absl::StatusOr<absl::optional<int>> OrientationOfTiff(absl::string_view tiff) {
  constexpr size_t kHeaderBytes = 8;
  const auto begins = [&](const char* id) { return tiff.substr(0, 4) == absl::string_view(id, 4); };
  const bool big = begins("MM\0*") || begins("MM*\0") || begins("MM\0+");
  const bool little = begins("II*\0") || begins("II\0*");
  if ((!big && !little) || tiff.size() < kHeaderBytes) {
    return absl::InvalidArgumentError("Exif data that are no TIFF structure");
  }
  const Numbers numbers(tiff, little);
  return OrientationOfDirectory(numbers, numbers.Read(4, 4), tiff.size());
}

// The first `tiff:Orientation="6"` or `tiff:Orientation>6`.
int OrientationOfXmp(absl::string_view xmp) {
  constexpr absl::string_view kName = "tiff:Orientation";
  for (size_t at = xmp.find(kName); at != absl::string_view::npos; at = xmp.find(kName, at + 1)) {
    absl::string_view rest = xmp.substr(at + kName.size());
    if (!absl::ConsumePrefix(&rest, "=\"") && !absl::ConsumePrefix(&rest, ">")) continue;
    if (rest.empty() || rest[0] < '0' || rest[0] > '9') continue;
    return rest[0] >= '1' && rest[0] <= '8' ? rest[0] - '0' : kNotTurned;
  }
  return kNotTurned;
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

absl::StatusOr<int> OrientationOf(absl::optional<absl::string_view> exif,
                                  absl::optional<absl::string_view> xmp) {
  absl::string_view tiff = exif.value_or(absl::string_view());
  if (absl::ConsumePrefix(&tiff, kExifId)) absl::ConsumePrefix(&tiff, kExifId);
  if (!tiff.empty()) {
    TERMINUS_ASSIGN_OR_RETURN(const auto orientation, OrientationOfTiff(tiff));
    if (orientation) return *orientation;
  }
  return xmp ? OrientationOfXmp(*xmp) : kNotTurned;
}

absl::StatusOr<int> ReadOrientation(absl::string_view file, ImageFormat format) {
  switch (format) {
    case ImageFormat::kJpeg: {
      TERMINUS_ASSIGN_OR_RETURN(const JpegHead head, ReadJpegHead(file));
      const auto orientation = OrientationOf(head.exif, head.xmp);
      // Pillow looks for the resolution there first, and then fails only once.
      if (!orientation.ok() && !head.has_resolution) return kNotTurned;
      return orientation;
    }
    case ImageFormat::kPng: {
      TERMINUS_ASSIGN_OR_RETURN(const PngFile png, ReadPngChunks(file));
      return OrientationOf(png.exif, png.xmp);
    }
    case ImageFormat::kWebp:
      return ReadWebpOrientation(file);
  }
  return kNotTurned;
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
