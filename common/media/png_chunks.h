#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

namespace terminus::media {

// The chunks of a PNG file that say how its picture looks (PNG specification, 3rd edition). Views
// are of the file's bytes, which must outlive it.
struct PngFile {
  uint32_t width = 0;
  uint32_t height = 0;
  // A pair that the specification allows, such as 8 bits of colour type 2.
  int depth = 0;
  int color_type = 0;
  bool interlaced = false;
  absl::string_view palette;  // Three bytes an entry.
  absl::optional<absl::string_view> transparency;

  // The image data, a piece a chunk. Only the last may be cut off.
  std::vector<absl::string_view> data;
  bool data_is_cut_off = false;

  // A TIFF structure, perhaps behind "Exif\0\0", and an XMP packet.
  absl::optional<std::string> exif;
  absl::optional<std::string> xmp;
};

inline constexpr int kPngGrey = 0;
inline constexpr int kPngRgb = 2;
inline constexpr int kPngPalette = 3;
inline constexpr int kPngGreyAlpha = 4;
inline constexpr int kPngRgba = 6;

// Reads the chunks of a file that begins with PNG's magic, as forgiving and as strict as Pillow.
// Up to the image data every checksum must be right and every chunk complete, known or not. Behind
// it checksums are not looked at, and the file may end without IEND, but not inside a chunk.
// INVALID_ARGUMENT says what is wrong.
absl::StatusOr<PngFile> ReadPngChunks(absl::string_view bytes);

// Width and height of the last header before the image data, without any check; nothing where there
// is none.
struct PngSize {
  uint32_t width = 0;
  uint32_t height = 0;
};
absl::optional<PngSize> ReadPngSize(absl::string_view bytes);

}  // namespace terminus::media
