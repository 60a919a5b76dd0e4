#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/media/image.h"

namespace terminus::media {

// The longest side that is decoded; JPEG can say no more.
inline constexpr int64_t kMaxSide = 65535;

struct DecodeLimits {
  // Checked against the header before anything is allocated. Decoding takes about 4 bytes a pixel,
  // and up to 16 for progressive JPEG and for WebP.
  int64_t max_pixels = 50'000'000;
};

// Decodes a whole JPEG, PNG or WebP file to 8-bit RGB: transparency over white, grey and palettes
// widened, 16 bit cut to 8, CMYK as Adobe writes it (inverted). Colour profiles and the EXIF
// orientation are ignored, as Pillow's open() does. Thread-safe.
//
// INVALID_ARGUMENT with the reason of ProbeImage, IMAGE_TOO_LARGE, UNSUPPORTED_FORMAT for an
// animated WebP, or IMAGE_UNDECODABLE, also for a file that is cut off anywhere.
absl::StatusOr<Image> DecodeImage(absl::string_view bytes, const DecodeLimits& limits);

}  // namespace terminus::media
