#include "common/media/jpeg_head.h"

#include <cstdint>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/media/jpeg_markers.h"

namespace terminus::media {
namespace {

constexpr uint8_t kSos = 0xda;
constexpr uint8_t kDqt = 0xdb;
constexpr uint8_t kDhp = 0xde;
constexpr uint8_t kApp0 = 0xe0;
constexpr uint8_t kApp1 = 0xe1;
constexpr uint8_t kApp2 = 0xe2;
constexpr uint8_t kApp14 = 0xee;
constexpr uint8_t kApp15 = 0xef;
constexpr uint8_t kComment = 0xfe;
constexpr absl::string_view kExifId("Exif\0\0", 6);
constexpr absl::string_view kXmpId("http://ns.adobe.com/xap/1.0/\0", 29);
constexpr absl::string_view kProfileId("ICC_PROFILE\0", 12);

uint32_t BigEndian16(absl::string_view bytes, size_t at) {
  return static_cast<uint32_t>(static_cast<uint8_t>(bytes[at])) << 8 |
         static_cast<uint8_t>(bytes[at + 1]);
}

absl::Status Bad(absl::string_view what) { return absl::InvalidArgumentError(what); }

// Markers that a segment follows, of those from 0xc0 on.
bool HasSegment(uint8_t marker) {
  return IsFrameHeader(marker) || marker == 0xc4 || marker == 0xcc ||
         (marker >= kSos && marker <= kApp15) || marker == kComment;
}

class Reader {
 public:
  explicit Reader(absl::string_view bytes) : rest_(bytes.substr(2)) {}

  absl::StatusOr<JpegHead> Read();

 private:
  // Of the next marker; 0 at the end of the file.
  absl::StatusOr<uint8_t> NextMarker();
  absl::StatusOr<absl::string_view> ReadSegment();
  absl::Status Handle(uint8_t marker, absl::string_view segment);
  absl::Status Frame(absl::string_view segment);
  absl::Status QuantizationTables(absl::string_view segment) const;
  absl::Status Application(uint8_t marker, absl::string_view segment);

  absl::string_view rest_;
  JpegHead head_;
  bool has_frame_ = false;
};

absl::StatusOr<uint8_t> Reader::NextMarker() {
  while (!rest_.empty()) {
    const size_t at = rest_.find('\xff');
    if (at == absl::string_view::npos || at + 1 >= rest_.size()) break;
    const auto marker = static_cast<uint8_t>(rest_[at + 1]);
    // A byte 0xff before another is filling.
    rest_.remove_prefix(marker == 0xff ? at + 1 : at + 2);
    if (marker == 0xff || marker == 0) continue;
    if (marker < 0xc0) return Bad("a marker that the format does not have");
    return marker;
  }
  return 0;
}

absl::StatusOr<absl::string_view> Reader::ReadSegment() {
  if (rest_.size() < 2) return Bad("cut off inside a segment");
  const size_t length = BigEndian16(rest_, 0);
  rest_.remove_prefix(2);
  const size_t bytes = length < 2 ? 0 : length - 2;
  if (bytes > rest_.size()) return Bad("cut off inside a segment");
  const absl::string_view segment = rest_.substr(0, bytes);
  rest_.remove_prefix(bytes);
  return segment;
}

absl::Status Reader::Frame(absl::string_view segment) {
  if (segment.size() < 6) return Bad("a frame header that is too short");
  const int bits = static_cast<uint8_t>(segment[0]);
  const int channels = static_cast<uint8_t>(segment[5]);
  if (bits != 8) return Bad(absl::StrCat(bits, " bits a sample, supported are 8"));
  if (channels != 1 && channels != 3 && channels != 4) {
    return Bad(absl::StrCat(channels, " channels, supported are 1, 3 and 4"));
  }
  if ((segment.size() - 6) % 3 != 0) return Bad("a frame header that is cut off");
  head_.height = static_cast<int>(BigEndian16(segment, 1));
  head_.width = static_cast<int>(BigEndian16(segment, 3));
  has_frame_ = true;
  return absl::OkStatus();
}

absl::Status Reader::QuantizationTables(absl::string_view segment) const {
  while (!segment.empty()) {
    const size_t bytes = 1 + (static_cast<uint8_t>(segment[0]) < 16 ? 64 : 128);
    if (segment.size() < bytes) return Bad("a quantization table that is cut off");
    segment.remove_prefix(bytes);
  }
  return absl::OkStatus();
}

absl::Status Reader::Application(uint8_t marker, absl::string_view segment) {
  constexpr size_t kJfifBytes = 7;
  constexpr size_t kAdobeBytes = 7;
  constexpr size_t kProfileBytes = 14;
  const bool jfif = marker == kApp0 && absl::StartsWith(segment, "JFIF");
  const bool adobe = marker == kApp14 && absl::StartsWith(segment, "Adobe");
  if ((jfif && segment.size() < kJfifBytes) || (adobe && segment.size() < kAdobeBytes)) {
    return Bad("an application segment that is too short");
  }
  if (jfif && segment.size() >= 12) {
    const int unit = static_cast<uint8_t>(segment[7]);
    head_.has_resolution = head_.has_resolution || unit == 1 || unit == 2;
  }
  if (marker == kApp2 && absl::StartsWith(segment, kProfileId) && segment.size() < kProfileBytes) {
    return Bad("a colour profile that is too short");
  }
  if (marker == kApp1 && absl::StartsWith(segment, kExifId)) {
    if (head_.exif) {
      absl::StrAppend(&*head_.exif, segment.substr(kExifId.size()));
    } else {
      head_.exif = std::string(segment);
    }
  } else if (marker == kApp1 && absl::StartsWith(segment, kXmpId)) {
    head_.xmp = std::string(segment.substr(kXmpId.size()));
  }
  return absl::OkStatus();
}

absl::Status Reader::Handle(uint8_t marker, absl::string_view segment) {
  if (IsFrameHeader(marker) || marker == kDhp) return Frame(segment);
  if (marker == kDqt) return QuantizationTables(segment);
  if (marker >= kApp0 && marker <= kApp15) return Application(marker, segment);
  return absl::OkStatus();
}

absl::StatusOr<JpegHead> Reader::Read() {
  while (true) {
    TERMINUS_ASSIGN_OR_RETURN(const uint8_t marker, NextMarker());
    if (marker == 0) return Bad("cut off before its first scan");
    if (!HasSegment(marker)) continue;
    TERMINUS_ASSIGN_OR_RETURN(const absl::string_view segment, ReadSegment());
    TERMINUS_RETURN_IF_ERROR(Handle(marker, segment));
    if (marker == kSos) break;
  }
  if (!has_frame_) return Bad("no frame header (SOF) before the first scan");
  return head_;
}

}  // namespace

absl::StatusOr<JpegHead> ReadJpegHead(absl::string_view bytes) { return Reader(bytes).Read(); }

}  // namespace terminus::media
