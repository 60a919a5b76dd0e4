#include "common/media/jpeg_markers.h"

namespace terminus::media {
namespace {

constexpr uint8_t kTem = 0x01;
constexpr uint8_t kRst0 = 0xd0;
constexpr uint8_t kRst7 = 0xd7;
constexpr uint8_t kSof0 = 0xc0;
constexpr uint8_t kSof15 = 0xcf;
constexpr uint8_t kDht = 0xc4;
constexpr uint8_t kJpg = 0xc8;
constexpr uint8_t kDac = 0xcc;

bool HasNoPayload(uint8_t marker) {
  return marker == kTem || (marker >= kRst0 && marker <= kRst7) || marker == kJpegEoi;
}

}  // namespace

absl::optional<JpegMarkers::Segment> JpegMarkers::Next() {
  // Skips what is no marker: entropy-coded data, its stuffed zeros and restarts, fill bytes, and
  // the stray bytes between segments that decoders forgive.
  Segment segment;
  while (true) {
    const size_t at = rest_.find('\xff');
    if (at == absl::string_view::npos || at + 1 >= rest_.size()) return absl::nullopt;
    segment.marker = static_cast<uint8_t>(rest_[at + 1]);
    const bool fill = segment.marker == 0xff;
    rest_.remove_prefix(fill ? at + 1 : at + 2);
    const bool restart = segment.marker >= kRst0 && segment.marker <= kRst7;
    if (!fill && segment.marker != 0 && !restart) break;
  }
  if (HasNoPayload(segment.marker)) return segment;
  if (rest_.size() < 2) return absl::nullopt;
  const size_t length = static_cast<uint8_t>(rest_[0]) << 8 | static_cast<uint8_t>(rest_[1]);
  if (length < 2 || length > rest_.size()) return absl::nullopt;
  segment.payload = rest_.substr(2, length - 2);
  rest_.remove_prefix(length);
  return segment;
}

bool IsFrameHeader(uint8_t marker) {
  return marker >= kSof0 && marker <= kSof15 && marker != kDht && marker != kJpg && marker != kDac;
}

}  // namespace terminus::media
