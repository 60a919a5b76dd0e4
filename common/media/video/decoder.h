#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/media/video/libav.h"

namespace terminus::media::video {

// "H.264", or the codec's own name for one that is not decoded.
std::string CodecName(const AVStream& stream);

// Only these are decoded, each by one library's decoder: H.264, VP9, MPEG-4 part 2, GIF.
bool IsSupportedCodec(const AVStream& stream);

struct FrameSize {
  int width = 0;
  int height = 0;
};

// Of the stored frames, by the container's header, or where that leaves it to the codec (MPEG-4 in
// MP4) by the codec's; zeros when neither says.
FrameSize HeaderSize(const AVStream& stream);

// Packets in, frames out. Not thread-safe.
class Decoder {
 public:
  // `max_pixels` bounds each frame, by whatever header of the stream says its size, before it is
  // allocated; but for what decoders add to fill whole blocks. The codec is a supported one.
  // `threads` is at least 1.
  static absl::StatusOr<std::unique_ptr<Decoder>> Open(const AVStream& stream, int64_t max_pixels,
                                                       int threads);

  // `needed`: false when only other frames need it; then it is skipped if none refers to it.
  // `take` is given the frames that come out, in the order in which they are shown, each valid
  // during the call. A packet that is broken is passed over and counted.
  absl::Status Send(const AVPacket& packet, bool needed,
                    absl::FunctionRef<absl::Status(const AVFrame&)> take);
  // Gives out what is still inside; then packets of another place may come.
  absl::Status Drain(absl::FunctionRef<absl::Status(const AVFrame&)> take);

  // Broken packets since the last Drain.
  int broken() const { return broken_; }

 private:
  Decoder(CodecPtr codec, int64_t max_pixels);

  bool RefusedSize() const;

  absl::Status SendOrDrain(const AVPacket* packet,
                           absl::FunctionRef<absl::Status(const AVFrame&)> take);
  absl::Status TakeFrames(absl::FunctionRef<absl::Status(const AVFrame&)> take);
  absl::Status Broken(int code);

  const CodecPtr codec_;
  const FramePtr frame_;
  const int64_t max_pixels_;
  int broken_ = 0;
};

}  // namespace terminus::media::video
