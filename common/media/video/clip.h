#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "common/media/image.h"
#include "common/media/video/frame_index.h"
#include "common/media/video_format.h"

// Frames out of encoded videos: MP4 (and QuickTime), WebM (and Matroska) and GIF, with H.264, VP9,
// MPEG-4 part 2 or GIF inside. From bytes in memory; nothing else is ever opened.
//
// Every fault of a video is INVALID_ARGUMENT with a reason: EMPTY_ITEM, UNSUPPORTED_FORMAT (bytes
// that begin like no video, or another codec), VIDEO_NO_STREAM, VIDEO_TOO_LARGE (pixels),
// VIDEO_TOO_LONG, VIDEO_TRUNCATED, VIDEO_RANGE_INVALID (its field is "start_us" or "end_us", where
// one of these is at fault), VIDEO_UNDECODABLE.
namespace terminus::media::video {

struct VideoLimits {
  // Of a frame: by the file's header before anything is allocated, and again by the codec's own
  // headers before each frame is. A decoder holds up to 17 frames, and one more a thread, of 1.5
  // to 6 bytes a pixel.
  int64_t max_pixels = 8'912'896;
  // Of the whole clip: by the header, and again by its packets.
  absl::Duration max_duration = absl::Hours(1);
};

struct VideoInfo {
  VideoContainer container = VideoContainer::kMp4;
  // "H.264".
  std::string codec;
  // As it is shown: after the rotation that the file asks for.
  int width = 0;
  int height = 0;
  // Zero when the header does not say.
  absl::Duration duration;
  double frames_per_second = 0;
};

// What the header says, checked against the limits; no frame is decoded.
absl::StatusOr<VideoInfo> ProbeVideo(absl::string_view bytes, const VideoLimits& limits);

// A part of a clip, in microseconds from its first frame.
struct TimeRange {
  absl::optional<int64_t> start_us;
  // Exclusive.
  absl::optional<int64_t> end_us;
};

// VIDEO_RANGE_INVALID for a range that fits no clip at all: negative, empty or inverted.
absl::Status CheckRange(const TimeRange& range);

struct DecodeOptions {
  // Of the decoder; at least 1.
  int threads = 1;
  // Asked between packets; not OK ends the work with that status. May be empty.
  std::function<absl::Status()> go_on;
};

// A clip whose packets have been counted. Immutable: any thread may use it. `bytes` must outlive
// it.
class Clip {
 public:
  // Reads every packet's place and time, and decodes none. What is missing of a file that was cut
  // off is no error yet.
  static absl::StatusOr<Clip> Open(absl::string_view bytes, const VideoLimits& limits,
                                   const std::function<absl::Status()>& go_on = nullptr);

  const VideoInfo& info() const { return info_; }
  // Of the clip in microseconds: to the end of its last frame, or to where the header of a file
  // that was cut off says.
  int64_t duration_us() const { return duration_us_; }
  size_t frame_count() const { return index_->size(); }

  // The centres of `count` equal parts of the range. VIDEO_RANGE_INVALID when it is not inside the
  // clip; its end may be late by one frame, since people round.
  absl::StatusOr<std::vector<int64_t>> UniformTimes(const TimeRange& range, int count) const;

  // Decodes the frames that are shown at the given times, in microseconds from the first frame;
  // several times may fall on one frame. Returns when each time's frame begins. `take` is called
  // with each frame once, and with the places in `times_us` that it answers, in order of time,
  // on this thread.
  //
  // Only what the wanted frames need is decoded: from the last key frame before each, without the
  // frames that no other refers to.
  absl::StatusOr<std::vector<int64_t>> Decode(
      const std::vector<int64_t>& times_us, const DecodeOptions& options,
      absl::FunctionRef<void(absl::Span<const size_t> places, const Image& frame)> take) const;

 private:
  Clip(absl::string_view bytes, const VideoLimits& limits, VideoInfo info,
       std::shared_ptr<const FrameIndex> index, bool cut_off, int64_t header_duration_us);

  absl::StatusOr<std::vector<size_t>> FramesAt(const std::vector<int64_t>& times_us) const;

  absl::string_view bytes_;
  VideoLimits limits_;
  VideoInfo info_;
  std::shared_ptr<const FrameIndex> index_;
  // Frames that begin at this time or later may be missing.
  int64_t certain_us_;
  int64_t duration_us_;
};

}  // namespace terminus::media::video
