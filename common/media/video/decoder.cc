#include "common/media/video/decoder.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"

namespace terminus::media::video {
namespace {

struct Codec {
  AVCodecID id;
  // Of the decoder: where there are several for one codec, exactly this one.
  const char* decoder;
  const char* name;
};

constexpr Codec kCodecs[] = {
    {AV_CODEC_ID_H264, "h264", "H.264"},
    {AV_CODEC_ID_VP9, "vp9", "VP9"},
    {AV_CODEC_ID_MPEG4, "mpeg4", "MPEG-4"},
    {AV_CODEC_ID_GIF, "gif", "GIF"},
};

int64_t RoundUp(int64_t side) {
  constexpr int64_t kBlock = 128;
  return (side + kBlock - 1) / kBlock * kBlock;
}

const Codec* Find(const AVStream& stream) {
  for (const Codec& codec : kCodecs) {
    if (codec.id == stream.codecpar->codec_id) return &codec;
  }
  return nullptr;
}

}  // namespace

std::string CodecName(const AVStream& stream) {
  const Codec* codec = Find(stream);
  return codec != nullptr ? codec->name : avcodec_get_name(stream.codecpar->codec_id);
}

bool IsSupportedCodec(const AVStream& stream) { return Find(stream) != nullptr; }

FrameSize HeaderSize(const AVStream& stream) {
  const AVCodecParameters& parameters = *stream.codecpar;
  if (parameters.width > 0 || parameters.height > 0 || parameters.extradata_size == 0) {
    return {.width = parameters.width, .height = parameters.height};
  }
  const CodecPtr codec(avcodec_alloc_context3(nullptr));
  AVCodecParserContext* parser = av_parser_init(parameters.codec_id);
  if (parser == nullptr) return {};
  // It reads the codec's header and allocates no frame.
  parser->flags |= PARSER_FLAG_COMPLETE_FRAMES;
  if (avcodec_parameters_to_context(codec.get(), &parameters) >= 0) {
    uint8_t* out = nullptr;
    int out_size = 0;
    av_parser_parse2(parser, codec.get(), &out, &out_size, parameters.extradata,
                     parameters.extradata_size, AV_NOPTS_VALUE, AV_NOPTS_VALUE, 0);
  }
  av_parser_close(parser);
  return {.width = codec->width, .height = codec->height};
}

Decoder::Decoder(CodecPtr codec, int64_t max_pixels)
    : codec_(std::move(codec)), frame_(av_frame_alloc()), max_pixels_(max_pixels) {
  TERMINUS_CHECK(frame_ != nullptr);
}

absl::StatusOr<std::unique_ptr<Decoder>> Decoder::Open(const AVStream& stream, int64_t max_pixels,
                                                       int threads) {
  const AVCodec* decoder = avcodec_find_decoder_by_name(Find(stream)->decoder);
  TERMINUS_CHECK(decoder != nullptr);
  CodecPtr codec(avcodec_alloc_context3(decoder));
  TERMINUS_CHECK(codec != nullptr);
  int code = avcodec_parameters_to_context(codec.get(), stream.codecpar);
  codec->pkt_timebase = stream.time_base;
  // Sides are rounded up before the library compares.
  const FrameSize size = HeaderSize(stream);
  codec->max_pixels = std::max(max_pixels, RoundUp(size.width) * RoundUp(size.height));
  codec->thread_count = threads;
  if (code >= 0) code = avcodec_open2(codec.get(), decoder, nullptr);
  if (code < 0) {
    return VideoError(
        base::kReasonVideoUndecodable,
        absl::StrCat(CodecName(stream), ": its parameters are broken: ", ErrorText(code)));
  }
  return std::unique_ptr<Decoder>(new Decoder(std::move(codec), max_pixels));
}

absl::Status Decoder::Send(const AVPacket& packet, bool needed,
                           absl::FunctionRef<absl::Status(const AVFrame&)> take) {
  codec_->skip_frame = needed ? AVDISCARD_DEFAULT : AVDISCARD_NONREF;
  return SendOrDrain(&packet, take);
}

absl::Status Decoder::Drain(absl::FunctionRef<absl::Status(const AVFrame&)> take) {
  TERMINUS_RETURN_IF_ERROR(SendOrDrain(nullptr, take));
  avcodec_flush_buffers(codec_.get());
  broken_ = 0;
  return absl::OkStatus();
}

absl::Status Decoder::SendOrDrain(const AVPacket* packet,
                                  absl::FunctionRef<absl::Status(const AVFrame&)> take) {
  int code = avcodec_send_packet(codec_.get(), packet);
  if (code == AVERROR(EAGAIN)) {
    TERMINUS_RETURN_IF_ERROR(TakeFrames(take));
    code = avcodec_send_packet(codec_.get(), packet);
  }
  if (code < 0 && code != AVERROR_EOF) TERMINUS_RETURN_IF_ERROR(Broken(code));
  return TakeFrames(take);
}

absl::Status Decoder::TakeFrames(absl::FunctionRef<absl::Status(const AVFrame&)> take) {
  // An error uses up a packet, so these cannot go on for ever; the bound is for decoders' bugs.
  constexpr int kMaxErrors = 1000;
  for (int errors = 0; errors < kMaxErrors;) {
    const int code = avcodec_receive_frame(codec_.get(), frame_.get());
    if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return absl::OkStatus();
    if (code < 0) {
      ++errors;
      TERMINUS_RETURN_IF_ERROR(Broken(code));
      continue;
    }
    TERMINUS_RETURN_IF_ERROR(take(*frame_));
  }
  return VideoError(base::kReasonVideoUndecodable, "the decoder makes no progress");
}

absl::Status Decoder::Broken(int code) {
  ++broken_;
  if (code == AVERROR(ENOMEM)) {
    return base::MakeError(absl::StatusCode::kResourceExhausted, base::kReasonVideoTooLarge,
                           "no memory for its frames");
  }
  if (RefusedSize()) {
    return VideoError(base::kReasonVideoTooLarge,
                      absl::StrCat("a frame claims more pixels than the limit, ", max_pixels_));
  }
  return absl::OkStatus();
}

bool Decoder::RefusedSize() const {
  const int64_t pixels = static_cast<int64_t>(codec_->width) * codec_->height;
  // Some decoders forget a size that they refused.
  return pixels == 0 || pixels > max_pixels_;
}

}  // namespace terminus::media::video
