#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

// What a video file is by its outermost structure; no codec library is needed for that.
namespace terminus::media {

enum class VideoContainer { kMp4, kMatroska, kGif };

// "MP4", "WebM" or "GIF".
absl::string_view ContainerName(VideoContainer container);

// The container by the file's first bytes, which decide and never a label; 12 are enough. Nothing
// for bytes that begin like none of them.
absl::optional<VideoContainer> SniffVideo(absl::string_view bytes);

// Whether the file ends before its own structure says: inside a top-level box of MP4 (ISO/IEC
// 14496-12), inside the segment of Matroska (RFC 9559), before the trailer of GIF (GIF89a). A file
// whose structure names no end, such as a live recording, is not.
bool IsCutOff(absl::string_view bytes, VideoContainer container);

}  // namespace terminus::media
