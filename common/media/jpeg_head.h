#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

namespace terminus::media {

// What the segments of a JPEG file before its first scan say.
struct JpegHead {
  int width = 0;
  int height = 0;
  // A TIFF structure behind "Exif\0\0", of one segment or more, and the last XMP packet.
  absl::optional<std::string> exif;
  absl::optional<std::string> xmp;
  bool has_resolution = false;  // In the JFIF segment.
};

// Reads them as forgiving and as strict as Pillow: bytes between segments are skipped, broken
// segments and frames of other than 8 bits or of other than 1, 3 or 4 channels are refused.
// INVALID_ARGUMENT says what is wrong. The file begins with JPEG's magic.
absl::StatusOr<JpegHead> ReadJpegHead(absl::string_view bytes);

}  // namespace terminus::media
