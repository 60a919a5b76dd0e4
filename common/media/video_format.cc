#include "common/media/video_format.h"

#include <initializer_list>

#include "absl/strings/match.h"

namespace terminus::media {
namespace {

constexpr absl::string_view kEbml = "\x1a\x45\xdf\xa3";
constexpr absl::string_view kSegment = "\x18\x53\x80\x67";

uint8_t Byte(absl::string_view bytes, size_t at) { return static_cast<uint8_t>(bytes[at]); }

uint64_t BigEndian(absl::string_view bytes, size_t at, size_t size) {
  uint64_t value = 0;
  for (size_t i = 0; i < size; ++i) value = value << 8 | Byte(bytes, at + i);
  return value;
}

bool IsMp4CutOff(absl::string_view bytes) {
  while (bytes.size() >= 8) {
    uint64_t size = BigEndian(bytes, 0, 4);
    if (size == 0) return false;  // To the end of the file.
    if (size == 1) {
      if (bytes.size() < 16) return true;
      size = BigEndian(bytes, 8, 8);
    }
    if (size > bytes.size()) return true;
    if (size < 8) return false;  // No box: something that was appended.
    bytes.remove_prefix(size);
  }
  return false;
}

// What a size of all ones says: up to the next element of the same level.
constexpr uint64_t kUnknownSize = UINT64_MAX;

// Reads a variable-length size of EBML off the front; nothing when it is cut off or no such number.
absl::optional<uint64_t> TakeEbmlSize(absl::string_view& bytes) {
  if (bytes.empty() || Byte(bytes, 0) == 0) return absl::nullopt;
  size_t length = 1;
  while ((Byte(bytes, 0) << (length - 1) & 0x80) == 0) ++length;
  if (bytes.size() < length) return absl::nullopt;
  const uint64_t mask = (uint64_t{1} << (7 * length)) - 1;
  const uint64_t size = BigEndian(bytes, 0, length) & mask;
  bytes.remove_prefix(length);
  return size == mask ? kUnknownSize : size;
}

bool IsMatroskaCutOff(absl::string_view bytes) {
  bytes.remove_prefix(kEbml.size());
  const auto header = TakeEbmlSize(bytes);
  if (!header || *header > bytes.size()) return true;
  bytes.remove_prefix(*header);
  if (!absl::StartsWith(bytes, kSegment)) return bytes.size() < kSegment.size();
  bytes.remove_prefix(kSegment.size());
  const auto segment = TakeEbmlSize(bytes);
  return !segment || (*segment != kUnknownSize && *segment > bytes.size());
}

// Steps over `count` bytes; false when there are fewer.
bool Skip(absl::string_view& bytes, size_t count) {
  if (bytes.size() < count) return false;
  bytes.remove_prefix(count);
  return true;
}

// Blocks of up to 255 bytes, each behind its length, up to an empty one.
bool SkipSubBlocks(absl::string_view& bytes) {
  while (!bytes.empty()) {
    const size_t length = Byte(bytes, 0);
    if (!Skip(bytes, 1 + length)) return false;
    if (length == 0) return true;
  }
  return false;
}

size_t ColourTableBytes(uint8_t flags) {
  return (flags & 0x80) == 0 ? 0 : 3 * (size_t{2} << (flags & 7));
}

bool IsGifCutOff(absl::string_view bytes) {
  constexpr size_t kHeader = 13;
  constexpr size_t kImageDescriptor = 10;
  if (bytes.size() < kHeader || !Skip(bytes, kHeader + ColourTableBytes(Byte(bytes, 10)))) {
    return true;
  }
  while (!bytes.empty()) {
    bool whole = false;
    switch (Byte(bytes, 0)) {
      case 0x3b:
        return false;
      case 0x21:
        whole = Skip(bytes, 2) && SkipSubBlocks(bytes);
        break;
      case 0x2c:
        // The descriptor and its colours, one byte of code size, then the data.
        whole = bytes.size() >= kImageDescriptor &&
                Skip(bytes, kImageDescriptor + ColourTableBytes(Byte(bytes, 9)) + 1) &&
                SkipSubBlocks(bytes);
        break;
      default:
        return false;  // Broken rather than cut off.
    }
    if (!whole) return true;
  }
  return true;
}

}  // namespace

absl::string_view ContainerName(VideoContainer container) {
  switch (container) {
    case VideoContainer::kMp4:
      return "MP4";
    case VideoContainer::kMatroska:
      return "WebM";
    case VideoContainer::kGif:
      return "GIF";
  }
  return "";
}

absl::optional<VideoContainer> SniffVideo(absl::string_view bytes) {
  if (absl::StartsWith(bytes, kEbml)) return VideoContainer::kMatroska;
  if (absl::StartsWith(bytes, "GIF87a") || absl::StartsWith(bytes, "GIF89a")) {
    return VideoContainer::kGif;
  }
  if (bytes.size() < 8) return absl::nullopt;
  const absl::string_view box = bytes.substr(4, 4);
  if (box == "ftyp") {
    // The same boxes hold still pictures, which are no videos.
    for (const absl::string_view brand : {"avif", "heic", "heix", "mif1"}) {
      if (absl::StartsWith(bytes.substr(8), brand)) return absl::nullopt;
    }
    return VideoContainer::kMp4;
  }
  // QuickTime's files may begin without a brand.
  if (box == "moov" || box == "mdat" || box == "wide") return VideoContainer::kMp4;
  return absl::nullopt;
}

bool IsCutOff(absl::string_view bytes, VideoContainer container) {
  switch (container) {
    case VideoContainer::kMp4:
      return IsMp4CutOff(bytes);
    case VideoContainer::kMatroska:
      return IsMatroskaCutOff(bytes);
    case VideoContainer::kGif:
      return IsGifCutOff(bytes);
  }
  return false;
}

}  // namespace terminus::media
