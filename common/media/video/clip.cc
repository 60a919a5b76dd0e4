#include "common/media/video/clip.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"
#include "common/media/decode.h"
#include "common/media/video/convert.h"
#include "common/media/video/decoder.h"
#include "common/media/video/demuxer.h"
#include "common/media/video/libav.h"

namespace terminus::media::video {
namespace {

// More than an hour at 240 frames a second has.
constexpr size_t kMaxPackets = 1 << 20;
constexpr int64_t kMaxTicks = int64_t{1} << 53;

std::string Seconds(int64_t us) { return absl::StrFormat("%.6g s", static_cast<double>(us) / 1e6); }

absl::Status CheckSize(int64_t width, int64_t height, const VideoLimits& limits) {
  if (width <= 0 || height <= 0) {
    return VideoError(base::kReasonVideoUndecodable,
                      absl::StrCat("its header says ", width, " x ", height, " pixels"));
  }
  if (width > kMaxSide || height > kMaxSide || width * height > limits.max_pixels) {
    return VideoError(
        base::kReasonVideoTooLarge,
        absl::StrCat(width, " x ", height, " pixels a frame, limit ", limits.max_pixels));
  }
  return absl::OkStatus();
}

absl::Status CheckDuration(int64_t us, const VideoLimits& limits) {
  if (us <= absl::ToInt64Microseconds(limits.max_duration)) return absl::OkStatus();
  return VideoError(base::kReasonVideoTooLong,
                    absl::StrCat("it lasts ", Seconds(us), ", limit ",
                                 Seconds(absl::ToInt64Microseconds(limits.max_duration))));
}

absl::StatusOr<VideoInfo> ReadHeader(const Demuxer& demuxer, VideoContainer container,
                                     const VideoLimits& limits) {
  const AVStream& stream = demuxer.stream();
  VideoInfo info{.container = container, .codec = CodecName(stream)};
  if (!IsSupportedCodec(stream)) {
    return VideoError(base::kReasonUnsupportedFormat,
                      absl::StrCat("its codec is ", info.codec,
                                   "; H.264, VP9, MPEG-4 part 2 and GIF are decoded"));
  }
  const FrameSize size = HeaderSize(stream);
  info.width = size.width;
  info.height = size.height;
  TERMINUS_RETURN_IF_ERROR(CheckSize(info.width, info.height, limits));
  if (Orientation::Of(stream).transposed()) std::swap(info.width, info.height);
  TERMINUS_RETURN_IF_ERROR(CheckDuration(demuxer.header_duration_us(), limits));
  info.duration = absl::Microseconds(demuxer.header_duration_us());
  const AVRational rate =
      stream.avg_frame_rate.num > 0 ? stream.avg_frame_rate : stream.r_frame_rate;
  if (rate.num > 0 && rate.den > 0) info.frames_per_second = av_q2d(rate);
  if (stream.time_base.num <= 0 || stream.time_base.den <= 0) {
    return VideoError(base::kReasonVideoUndecodable, "its header names no unit of time");
  }
  return info;
}

absl::StatusOr<VideoContainer> ContainerOf(absl::string_view bytes) {
  if (bytes.empty()) return VideoError(base::kReasonEmptyItem, "the video has no bytes");
  const auto container = SniffVideo(bytes);
  if (!container) {
    return VideoError(base::kReasonUnsupportedFormat,
                      "not a video of a supported format: MP4, WebM and GIF are");
  }
  return *container;
}

absl::StatusOr<PacketInfo> Describe(const AVPacket& packet) {
  PacketInfo info{.pts = packet.pts != AV_NOPTS_VALUE ? packet.pts : packet.dts,
                  .dts = packet.dts != AV_NOPTS_VALUE ? packet.dts : packet.pts,
                  .duration = packet.duration,
                  .key = (packet.flags & AV_PKT_FLAG_KEY) != 0,
                  .shown = (packet.flags & AV_PKT_FLAG_DISCARD) == 0};
  for (const int64_t ticks : {info.pts, info.dts, info.duration}) {
    // No time at all is the smallest number there is.
    if (ticks < -kMaxTicks || ticks > kMaxTicks) {
      return VideoError(base::kReasonVideoUndecodable, "a packet has no time, or an absurd one");
    }
  }
  return info;
}

absl::StatusOr<std::vector<PacketInfo>> ReadPackets(Demuxer& demuxer) {
  const PacketPtr packet(av_packet_alloc());
  std::vector<PacketInfo> packets;
  while (true) {
    TERMINUS_ASSIGN_OR_RETURN(const bool more, demuxer.Next(packet.get()));
    if (!more) return packets;
    if (packets.size() == kMaxPackets) {
      return VideoError(base::kReasonVideoTooLong,
                        absl::StrCat("it has more than ", kMaxPackets, " packets"));
    }
    TERMINUS_ASSIGN_OR_RETURN(const PacketInfo info, Describe(*packet));
    packets.push_back(info);
  }
}

StreamOrder OrderOf(const AVStream& stream, VideoContainer container) {
  StreamOrder order;
  // Matroska's blocks only say when they are shown.
  order.has_dts = container != VideoContainer::kMatroska;
  const AVRational rate = stream.avg_frame_rate;
  if (rate.num > 0 && rate.den > 0) {
    order.frame_ticks = av_rescale_q(1, av_inv_q(rate), stream.time_base);
  }
  return order;
}

GoOn OrAlways(const GoOn& go_on) {
  return go_on ? go_on : [] { return absl::OkStatus(); };
}

}  // namespace

absl::StatusOr<VideoInfo> ProbeVideo(absl::string_view bytes, const VideoLimits& limits) {
  TERMINUS_ASSIGN_OR_RETURN(const VideoContainer container, ContainerOf(bytes));
  TERMINUS_ASSIGN_OR_RETURN(const auto demuxer, Demuxer::Open(bytes, container, OrAlways(nullptr)));
  return ReadHeader(*demuxer, container, limits);
}

namespace {

// A fault of one end of a range: "start_us" or "end_us".
absl::Status RangeError(absl::string_view end, absl::string_view message) {
  absl::Status status = VideoError(base::kReasonVideoRange, message);
  base::Attach(status, "", end);
  return status;
}

}  // namespace

absl::Status CheckRange(const TimeRange& range) {
  const int64_t start = range.start_us.value_or(0);
  if (start < 0) {
    return RangeError("start_us", absl::StrCat("it begins at ", start, " µs, before the clip"));
  }
  if (range.end_us && *range.end_us <= start) {
    return RangeError("end_us", absl::StrCat("it ends at ", *range.end_us,
                                             " µs, not after its beginning at ", start, " µs"));
  }
  return absl::OkStatus();
}

Clip::Clip(absl::string_view bytes, const VideoLimits& limits, VideoInfo info,
           std::shared_ptr<const FrameIndex> index, bool cut_off, int64_t header_duration_us)
    : bytes_(bytes),
      limits_(limits),
      info_(std::move(info)),
      index_(std::move(index)),
      certain_us_(cut_off ? index_->certain_us() : index_->end_us()),
      duration_us_(cut_off ? std::max(header_duration_us, index_->end_us()) : index_->end_us()) {}

absl::StatusOr<Clip> Clip::Open(absl::string_view bytes, const VideoLimits& limits,
                                const std::function<absl::Status()>& go_on) {
  TERMINUS_ASSIGN_OR_RETURN(const VideoContainer container, ContainerOf(bytes));
  TERMINUS_ASSIGN_OR_RETURN(const auto demuxer, Demuxer::Open(bytes, container, OrAlways(go_on)));
  TERMINUS_ASSIGN_OR_RETURN(VideoInfo info, ReadHeader(*demuxer, container, limits));
  TERMINUS_ASSIGN_OR_RETURN(std::vector<PacketInfo> packets, ReadPackets(*demuxer));
  const AVRational tick = demuxer->stream().time_base;
  auto index = std::make_shared<const FrameIndex>(std::move(packets), tick.num, tick.den,
                                                  OrderOf(demuxer->stream(), container));
  const bool cut_off = demuxer->ended_early() || IsCutOff(bytes, container);
  if (index->size() == 0) {
    return cut_off ? VideoError(base::kReasonVideoTruncated,
                                "the file is cut off before its first frame")
                   : VideoError(base::kReasonVideoUndecodable, "its video stream has no frames");
  }
  TERMINUS_RETURN_IF_ERROR(CheckDuration(index->end_us(), limits));
  // Matroska's duration counts from the beginning of the file's clock, not from the first frame.
  const int64_t before =
      container == VideoContainer::kMatroska ? std::max<int64_t>(0, index->origin_us()) : 0;
  return Clip(bytes, limits, std::move(info), std::move(index), cut_off,
              demuxer->header_duration_us() - before);
}

absl::StatusOr<std::vector<int64_t>> Clip::UniformTimes(const TimeRange& range, int count) const {
  TERMINUS_RETURN_IF_ERROR(CheckRange(range));
  const int64_t start = range.start_us.value_or(0);
  if (start >= duration_us_) {
    return RangeError("start_us", absl::StrCat("it begins at ", Seconds(start), ", the clip lasts ",
                                               Seconds(duration_us_)));
  }
  int64_t end = range.end_us.value_or(duration_us_);
  if (end - duration_us_ > index_->mean_frame_us()) {
    return RangeError("end_us", absl::StrCat("it ends at ", Seconds(end), ", the clip lasts ",
                                             Seconds(duration_us_)));
  }
  end = std::min(end, duration_us_);
  std::vector<int64_t> times;
  times.reserve(count);
  for (int64_t i = 0; i < count; ++i) {
    const __int128 centre = static_cast<__int128>(end - start) * (2 * i + 1) / (2 * count);
    times.push_back(start + static_cast<int64_t>(centre));
  }
  return times;
}

absl::StatusOr<std::vector<size_t>> Clip::FramesAt(const std::vector<int64_t>& times_us) const {
  std::vector<size_t> frames;
  for (const int64_t time : times_us) {
    if (time < 0 || time >= duration_us_) {
      return VideoError(
          base::kReasonVideoRange,
          absl::StrCat("no frame at ", Seconds(time), ", the clip lasts ", Seconds(duration_us_)));
    }
    if (time >= certain_us_) {
      return VideoError(
          base::kReasonVideoTruncated,
          absl::StrCat("the file is cut off: its frames end at ", Seconds(certain_us_),
                       ", wanted is the one at ", Seconds(time), " of ", Seconds(duration_us_)));
    }
    frames.push_back(index_->FrameAt(time));
  }
  return frames;
}

namespace {

// Decodes the segments of one clip and hands out the frames that are wanted.
class FrameReader {
 public:
  // A frame, by its place in the index.
  using Take = absl::FunctionRef<void(size_t frame, const Image& image)>;

  FrameReader(const FrameIndex& index, const VideoLimits& limits, Demuxer& demuxer,
              Decoder& decoder, Take take)
      : index_(index),
        limits_(limits),
        demuxer_(demuxer),
        decoder_(decoder),
        converter_(Orientation::Of(demuxer.stream())),
        take_(take),
        packet_(av_packet_alloc()),
        last_(av_frame_alloc()) {}

  absl::Status Read(const Segment& segment) {
    wanted_ = segment.wanted;
    std::vector<bool> needed(segment.last - segment.first + 1);
    for (const size_t frame : wanted_) needed[index_.packet_of(frame) - segment.first] = true;
    next_ = 0;
    has_last_ = false;
    const auto take = [this](const AVFrame& frame) { return OnFrame(frame); };
    for (; position_ <= segment.last; ++position_) {
      TERMINUS_ASSIGN_OR_RETURN(const bool more, demuxer_.Next(packet_.get()));
      if (!more) {
        return VideoError(base::kReasonVideoUndecodable, "it reads differently a second time");
      }
      if (position_ < segment.first) continue;
      TERMINUS_RETURN_IF_ERROR(decoder_.Send(*packet_, needed[position_ - segment.first], take));
    }
    const int broken = decoder_.broken();
    TERMINUS_RETURN_IF_ERROR(decoder_.Drain(take));
    // What a stream never shows by itself is the frame before it, for as long.
    while (broken == 0 && has_last_ && next_ < wanted_.size()) {
      TERMINUS_RETURN_IF_ERROR(Give(*last_));
    }
    return next_ == wanted_.size() ? absl::OkStatus() : Undecodable();
  }

 private:
  absl::Status OnFrame(const AVFrame& frame) {
    const int64_t pts = frame.pts != AV_NOPTS_VALUE ? frame.pts : frame.best_effort_timestamp;
    while (next_ < wanted_.size() && index_.pts_of(wanted_[next_]) < pts) {
      if (!has_last_ || decoder_.broken() > 0) return Undecodable();
      TERMINUS_RETURN_IF_ERROR(Give(*last_));
    }
    while (next_ < wanted_.size() && index_.pts_of(wanted_[next_]) == pts) {
      TERMINUS_RETURN_IF_ERROR(Give(frame));
    }
    av_frame_unref(last_.get());
    has_last_ = av_frame_ref(last_.get(), &frame) == 0;
    return absl::OkStatus();
  }

  absl::Status Give(const AVFrame& frame) {
    if (static_cast<int64_t>(frame.width) * frame.height > limits_.max_pixels) {
      return VideoError(base::kReasonVideoTooLarge,
                        absl::StrCat("a frame of ", frame.width, " x ", frame.height,
                                     " pixels, limit ", limits_.max_pixels));
    }
    if (frame.decode_error_flags != 0 || (frame.flags & AV_FRAME_FLAG_CORRUPT) != 0) {
      return Undecodable();
    }
    TERMINUS_ASSIGN_OR_RETURN(const Image image, converter_.Convert(frame));
    take_(wanted_[next_++], image);
    return absl::OkStatus();
  }

  absl::Status Undecodable() const {
    return VideoError(base::kReasonVideoUndecodable,
                      absl::StrCat("the frame at ", Seconds(index_.time_us(wanted_[next_])),
                                   " is broken, or one that it refers to"));
  }

  const FrameIndex& index_;
  const VideoLimits& limits_;
  Demuxer& demuxer_;
  Decoder& decoder_;
  Converter converter_;
  const Take take_;
  const PacketPtr packet_;
  // The packet that the demuxer gives next.
  size_t position_ = 0;

  // Of the segment at hand: the frames wanted, the next of them, and the last frame that came out.
  std::vector<size_t> wanted_;
  size_t next_ = 0;
  const FramePtr last_;
  bool has_last_ = false;
};

}  // namespace

absl::StatusOr<std::vector<int64_t>> Clip::Decode(
    const std::vector<int64_t>& times_us, const DecodeOptions& options,
    absl::FunctionRef<void(absl::Span<const size_t> places, const Image& frame)> take) const {
  TERMINUS_ASSIGN_OR_RETURN(const std::vector<size_t> frames, FramesAt(times_us));
  // Frame → the places that it answers, in order of time.
  std::map<size_t, std::vector<size_t>> places;
  for (size_t i = 0; i < frames.size(); ++i) places[frames[i]].push_back(i);
  std::vector<size_t> distinct;
  for (const auto& entry : places) distinct.push_back(entry.first);

  TERMINUS_ASSIGN_OR_RETURN(const auto demuxer,
                            Demuxer::Open(bytes_, info_.container, OrAlways(options.go_on)));
  TERMINUS_ASSIGN_OR_RETURN(const auto decoder,
                            Decoder::Open(demuxer->stream(), limits_.max_pixels, options.threads));
  const auto give = [&](size_t frame, const Image& image) { take(places[frame], image); };
  FrameReader reader(*index_, limits_, *demuxer, *decoder, give);
  for (const Segment& segment : index_->Plan(distinct)) {
    TERMINUS_RETURN_IF_ERROR(reader.Read(segment));
  }
  std::vector<int64_t> times;
  times.reserve(frames.size());
  for (const size_t frame : frames) times.push_back(index_->time_us(frame));
  return times;
}

}  // namespace terminus::media::video
