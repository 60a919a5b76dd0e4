#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/frame.h>
#include <libswscale/swscale.h>
}

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

// FFmpeg's libraries as this folder uses them; nobody else includes their headers.
namespace terminus::media::video {

struct PacketDeleter {
  void operator()(AVPacket* packet) const { av_packet_free(&packet); }
};
struct FrameDeleter {
  void operator()(AVFrame* frame) const { av_frame_free(&frame); }
};
struct CodecDeleter {
  void operator()(AVCodecContext* codec) const { avcodec_free_context(&codec); }
};
struct ScalerDeleter {
  void operator()(SwsContext* scaler) const { sws_freeContext(scaler); }
};
using PacketPtr = std::unique_ptr<AVPacket, PacketDeleter>;
using FramePtr = std::unique_ptr<AVFrame, FrameDeleter>;
using CodecPtr = std::unique_ptr<AVCodecContext, CodecDeleter>;
using ScalerPtr = std::unique_ptr<SwsContext, ScalerDeleter>;

// Whether to go on: not OK ends the work with that status. Asked often, from the thread at work.
using GoOn = std::function<absl::Status()>;

// Before the first use, from any thread. The libraries print nothing then, and no allocation of
// theirs is larger than 256 MiB: a header may claim tables of any size.
void InitLibav();

// INVALID_ARGUMENT with a reason.
absl::Status VideoError(absl::string_view reason, absl::string_view message);

// What an error code of the libraries says.
std::string ErrorText(int code);

}  // namespace terminus::media::video
