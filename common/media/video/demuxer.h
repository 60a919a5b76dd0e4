#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/media/video/libav.h"
#include "common/media/video_format.h"

namespace terminus::media::video {

// The packets of a file's video stream, front to back. Reads only the bytes it was given: no file,
// no address, no reference to another resource is ever opened, and only the demuxer of `container`
// looks at them. Not thread-safe.
class Demuxer {
 public:
  // Reads the header. `bytes` must outlive it. VIDEO_NO_STREAM, VIDEO_TRUNCATED,
  // VIDEO_UNDECODABLE, or what `go_on` said.
  static absl::StatusOr<std::unique_ptr<Demuxer>> Open(absl::string_view bytes,
                                                       VideoContainer container, GoOn go_on);
  ~Demuxer();
  Demuxer(const Demuxer&) = delete;
  Demuxer& operator=(const Demuxer&) = delete;

  // Codec, size, time base, rotation and more, as the header says.
  const AVStream& stream() const { return *format_->streams[stream_]; }
  // Of the whole file by its header, in microseconds; 0 when it says none.
  int64_t header_duration_us() const;

  // Reads the next whole packet; false at the end, or where the rest cannot be read.
  absl::StatusOr<bool> Next(AVPacket* packet);

  // Whether the end came before the file's own index said.
  bool ended_early() const { return ended_early_; }

 private:
  Demuxer(absl::string_view bytes, GoOn go_on) : bytes_(bytes), go_on_(std::move(go_on)) {}

  static int Read(void* self, uint8_t* out, int size);
  static int64_t Seek(void* self, int64_t offset, int whence);
  absl::Status OpenFormat(VideoContainer container);
  absl::Status ChooseStream();

  const absl::string_view bytes_;
  const GoOn go_on_;
  int64_t position_ = 0;
  // Why reading was stopped, if it was.
  absl::Status stopped_;
  AVIOContext* io_ = nullptr;
  AVFormatContext* format_ = nullptr;
  int stream_ = -1;
  bool ended_early_ = false;
};

}  // namespace terminus::media::video
