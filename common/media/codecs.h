#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/media/decode.h"
#include "common/media/image.h"
#include "common/media/probe.h"

// One function a library behind DecodeImage. Each takes a whole file whose header passed the
// limits, refuses one whose library sees another size than `info`, and returns any error's text
// without reason or format, which the caller adds. Turning is the caller's too.
namespace terminus::media {

absl::StatusOr<Image> DecodeJpeg(absl::string_view bytes, const ImageInfo& info);
absl::StatusOr<Image> DecodePng(absl::string_view bytes, const ImageInfo& info,
                                Conversion conversion);
// Of an animation the first frame.
absl::StatusOr<Image> DecodeWebp(absl::string_view bytes, const ImageInfo& info,
                                 Conversion conversion);

// ReadOrientation of a WebP file.
absl::StatusOr<int> ReadWebpOrientation(absl::string_view bytes);

// Lays RGBA in `rgba` over white and shortens it to RGB, in place.
void FlattenOverWhite(std::vector<uint8_t>& rgba);

}  // namespace terminus::media
