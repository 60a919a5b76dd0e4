#include "common/media/probe.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"
#include "common/media/jpeg_markers.h"
#include "common/media/png_chunks.h"

namespace terminus::media {
namespace {

constexpr absl::string_view kPngMagic("\x89PNG\r\n\x1a\n", 8);
constexpr absl::string_view kJpegMagic("\xff\xd8\xff", 3);

absl::Status Undecodable(ImageFormat format, absl::string_view what) {
  return base::MakeError(absl::StatusCode::kInvalidArgument, base::kReasonImageUndecodable,
                         absl::StrCat(FormatName(format), ": ", what));
}

uint32_t BigEndian(absl::string_view bytes, size_t at, size_t size) {
  uint32_t value = 0;
  for (size_t i = 0; i < size; ++i) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

uint32_t LittleEndian(absl::string_view bytes, size_t at, size_t size) {
  uint32_t value = 0;
  for (size_t i = size; i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

absl::StatusOr<ImageInfo> ProbePng(absl::string_view bytes) {
  const auto size = ReadPngSize(bytes);
  if (!size) {
    return Undecodable(ImageFormat::kPng,
                       "expected IHDR before the image data; the file may be cut off");
  }
  return ImageInfo{ImageFormat::kPng, size->width, size->height};
}

absl::StatusOr<ImageInfo> ProbeJpeg(absl::string_view bytes) {
  JpegMarkers markers(bytes);
  while (const auto segment = markers.Next()) {
    if (segment->marker == kJpegEoi) break;
    if (!IsFrameHeader(segment->marker)) continue;
    // Precision, height, width, components.
    if (segment->payload.size() < 6) break;
    return ImageInfo{ImageFormat::kJpeg, BigEndian(segment->payload, 3, 2),
                     BigEndian(segment->payload, 1, 2)};
  }
  return Undecodable(ImageFormat::kJpeg, "expected a frame header (SOF); the file may be cut off");
}

// The first chunk is VP8X (extended), VP8L (lossless) or VP8 (lossy); each says the size.
absl::StatusOr<ImageInfo> ProbeWebp(absl::string_view bytes) {
  const auto make = [](uint32_t width, uint32_t height) {
    return ImageInfo{ImageFormat::kWebp, width, height};
  };
  const absl::string_view chunk = bytes.substr(12, 4);
  const size_t header_end = chunk == "VP8L" ? 25 : 30;
  if (bytes.size() < header_end) {
    return Undecodable(ImageFormat::kWebp, "cut off inside its header");
  }
  if (chunk == "VP8X") {
    return make(LittleEndian(bytes, 24, 3) + 1, LittleEndian(bytes, 27, 3) + 1);
  }
  if (chunk == "VP8L" && bytes[20] == '\x2f') {
    const uint32_t bits = LittleEndian(bytes, 21, 4);
    return make((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1);
  }
  if (chunk == "VP8 " && bytes.substr(23, 3) == "\x9d\x01\x2a") {
    return make(LittleEndian(bytes, 26, 2) & 0x3fff, LittleEndian(bytes, 28, 2) & 0x3fff);
  }
  return Undecodable(ImageFormat::kWebp, "expected a VP8, VP8L or VP8X chunk with a valid header");
}

absl::StatusOr<ImageInfo> ProbeByMagic(absl::string_view bytes) {
  if (absl::StartsWith(bytes, kJpegMagic)) return ProbeJpeg(bytes);
  if (absl::StartsWith(bytes, kPngMagic)) return ProbePng(bytes);
  if (absl::StartsWith(bytes, "RIFF") && bytes.size() >= 12 && bytes.substr(8, 4) == "WEBP") {
    return ProbeWebp(bytes);
  }
  return base::MakeError(absl::StatusCode::kInvalidArgument, base::kReasonUnsupportedFormat,
                         "not an image of a supported format: JPEG, PNG and WebP are");
}

}  // namespace

absl::string_view FormatName(ImageFormat format) {
  switch (format) {
    case ImageFormat::kJpeg:
      return "JPEG";
    case ImageFormat::kPng:
      return "PNG";
    case ImageFormat::kWebp:
      return "WebP";
  }
  return "";
}

absl::StatusOr<ImageInfo> ProbeImage(absl::string_view bytes) {
  if (bytes.empty()) {
    return base::MakeError(absl::StatusCode::kInvalidArgument, base::kReasonEmptyItem,
                           "the image has no bytes");
  }
  TERMINUS_ASSIGN_OR_RETURN(const ImageInfo info, ProbeByMagic(bytes));
  if (info.width == 0 || info.height == 0) {
    return Undecodable(info.format,
                       absl::StrCat("its header says ", info.width, " x ", info.height, " pixels"));
  }
  return info;
}

}  // namespace terminus::media
