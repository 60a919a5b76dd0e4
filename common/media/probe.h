#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace terminus::media {

enum class ImageFormat { kJpeg, kPng, kWebp };

// "JPEG", "PNG" or "WebP".
absl::string_view FormatName(ImageFormat format);

struct ImageInfo {
  ImageFormat format = ImageFormat::kJpeg;
  int64_t width = 0;
  int64_t height = 0;
};

// Format and size as the file's first bytes claim them; nothing is allocated and no pixel is read.
// The bytes decide, never a label. INVALID_ARGUMENT with the reason EMPTY_ITEM for no bytes,
// UNSUPPORTED_FORMAT for bytes that begin like none of the formats, IMAGE_UNDECODABLE for a header
// that is cut off or makes no sense.
absl::StatusOr<ImageInfo> ProbeImage(absl::string_view bytes);

}  // namespace terminus::media
