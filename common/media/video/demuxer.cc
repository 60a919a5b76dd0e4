#include "common/media/video/demuxer.h"

extern "C" {
#include <libavutil/mem.h>
}

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"

namespace terminus::media::video {
namespace {

constexpr int kBufferBytes = 32 << 10;
// Of one file; audio and subtitles count.
constexpr int kMaxStreams = 64;

const char* DemuxerName(VideoContainer container) {
  switch (container) {
    case VideoContainer::kMp4:
      return "mov";
    case VideoContainer::kMatroska:
      return "matroska";
    case VideoContainer::kGif:
      return "gif";
  }
  return "";
}

// Some demuxers open what a file refers to; nothing is opened here.
int RefuseToOpen(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) {
  return AVERROR(EPERM);
}

}  // namespace

Demuxer::~Demuxer() {
  avformat_close_input(&format_);
  if (io_ != nullptr) {
    av_freep(&io_->buffer);
    avio_context_free(&io_);
  }
}

int Demuxer::Read(void* self, uint8_t* out, int size) {
  auto* demuxer = static_cast<Demuxer*>(self);
  if (demuxer->stopped_.ok()) demuxer->stopped_ = demuxer->go_on_();
  if (!demuxer->stopped_.ok()) return AVERROR_EXIT;
  const auto total = static_cast<int64_t>(demuxer->bytes_.size());
  const auto count = std::min<int64_t>(size, total - demuxer->position_);
  if (count <= 0) return AVERROR_EOF;
  std::memcpy(out, demuxer->bytes_.data() + demuxer->position_, static_cast<size_t>(count));
  demuxer->position_ += count;
  return static_cast<int>(count);
}

int64_t Demuxer::Seek(void* self, int64_t offset, int whence) {
  auto* demuxer = static_cast<Demuxer*>(self);
  const auto total = static_cast<int64_t>(demuxer->bytes_.size());
  if ((whence & AVSEEK_SIZE) != 0) return total;
  whence &= ~AVSEEK_FORCE;
  const int64_t base = whence == SEEK_CUR ? demuxer->position_ : whence == SEEK_END ? total : 0;
  if (offset < -base || offset > total - base) return AVERROR(EINVAL);
  demuxer->position_ = base + offset;
  return demuxer->position_;
}

absl::StatusOr<std::unique_ptr<Demuxer>> Demuxer::Open(absl::string_view bytes,
                                                       VideoContainer container, GoOn go_on) {
  InitLibav();
  auto demuxer = std::unique_ptr<Demuxer>(new Demuxer(bytes, std::move(go_on)));
  TERMINUS_RETURN_IF_ERROR(demuxer->OpenFormat(container));
  TERMINUS_RETURN_IF_ERROR(demuxer->ChooseStream());
  return demuxer;
}

absl::Status Demuxer::OpenFormat(VideoContainer container) {
  auto* buffer = static_cast<uint8_t*>(av_malloc(kBufferBytes));
  io_ = avio_alloc_context(buffer, kBufferBytes, 0, this, Read, nullptr, Seek);
  format_ = avformat_alloc_context();
  TERMINUS_CHECK(buffer != nullptr && io_ != nullptr && format_ != nullptr);
  format_->pb = io_;
  format_->flags |= AVFMT_FLAG_CUSTOM_IO;
  format_->io_open = RefuseToOpen;
  format_->max_streams = kMaxStreams;
  const AVInputFormat* input = av_find_input_format(DemuxerName(container));
  TERMINUS_CHECK(input != nullptr);
  // Frees the format when it fails.
  const int code = avformat_open_input(&format_, "", input, nullptr);
  TERMINUS_RETURN_IF_ERROR(stopped_);
  if (code == 0) return absl::OkStatus();
  if (IsCutOff(bytes_, container)) {
    return VideoError(
        base::kReasonVideoTruncated,
        absl::StrCat(ContainerName(container), ": the file is cut off before its index"));
  }
  return VideoError(
      base::kReasonVideoUndecodable,
      absl::StrCat(ContainerName(container), ": its header cannot be read: ", ErrorText(code)));
}

absl::Status Demuxer::ChooseStream() {
  for (unsigned i = 0; i < format_->nb_streams; ++i) {
    AVStream& stream = *format_->streams[i];
    const bool is_cover = (stream.disposition & AV_DISPOSITION_ATTACHED_PIC) != 0;
    if (stream_ < 0 && stream.codecpar->codec_type == AVMEDIA_TYPE_VIDEO && !is_cover) {
      stream_ = static_cast<int>(i);
    } else {
      stream.discard = AVDISCARD_ALL;
    }
  }
  if (stream_ >= 0) return absl::OkStatus();
  return VideoError(base::kReasonVideoNoStream,
                    absl::StrCat("the file has no video stream; it has ", format_->nb_streams,
                                 format_->nb_streams == 1 ? " other one" : " other ones"));
}

int64_t Demuxer::header_duration_us() const {
  const AVStream& own = stream();
  if (own.duration != AV_NOPTS_VALUE && own.duration > 0) {
    return av_rescale_q(own.duration, own.time_base, {1, 1'000'000});
  }
  return format_->duration != AV_NOPTS_VALUE && format_->duration > 0 ? format_->duration : 0;
}

absl::StatusOr<bool> Demuxer::Next(AVPacket* packet) {
  while (true) {
    av_packet_unref(packet);
    if (stopped_.ok()) stopped_ = go_on_();
    TERMINUS_RETURN_IF_ERROR(stopped_);
    const int code = av_read_frame(format_, packet);
    TERMINUS_RETURN_IF_ERROR(stopped_);
    if (code < 0) {
      ended_early_ |= code != AVERROR_EOF;
      return false;
    }
    if (packet->stream_index != stream_) continue;
    if ((packet->flags & AV_PKT_FLAG_CORRUPT) != 0) {
      ended_early_ = true;
      return false;
    }
    return true;
  }
}

}  // namespace terminus::media::video
