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

// How a file that is more than 8-bit RGB becomes it.
enum class Conversion {
  // Transparency over white; 16-bit grey cut to 8; the Exif orientation ignored, as Pillow's open()
  // does.
  kOverWhite,
  // As load_image() of transformers has it from Pillow: colours without their transparency; 16-bit
  // grey beyond 255 white; turned as the Exif orientation says.
  kLikeTransformers,
};

// Decodes a JPEG, PNG or WebP file to 8-bit RGB: grey and palettes widened, 16-bit colours cut to
// 8, CMYK as Adobe writes it (inverted), the rest as `conversion` says. Colour profiles are
// ignored. Thread-safe.
//
// Of an animation the first frame. What Pillow opens is decoded to the same pixels, and what it
// refuses is refused, broken files included: a PNG may end behind its image data, and in a JPEG
// whose coded data are broken some blocks are grey.
//
// INVALID_ARGUMENT with the reason of ProbeImage, IMAGE_TOO_LARGE, or IMAGE_UNDECODABLE.
absl::StatusOr<Image> DecodeImage(absl::string_view bytes, const DecodeLimits& limits,
                                  Conversion conversion = Conversion::kOverWhite);

}  // namespace terminus::media
