#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

// Which packets must be decoded for which frames, as pure functions over what a demuxer said of
// the packets. No codec library here.
namespace terminus::media::video {

// One packet of the stream, in the order in which they are decoded. Times are in ticks of the
// stream's time base and within ±2^53.
struct PacketInfo {
  int64_t pts = 0;
  int64_t dts = 0;
  int64_t duration = 0;
  // Decoding can begin here.
  bool key = false;
  // False for one that is only there to be referred to.
  bool shown = true;
};

// What a file says of its stream beside the packets.
struct StreamOrder {
  // Whether `dts` is the file's own, and not guessed.
  bool has_dts = true;
  // Ticks from one frame to the next; 0 when it is not said.
  int64_t frame_ticks = 0;
};

// Packets [first, last] are to be decoded, in a row, for the frames that `wanted` names.
struct Segment {
  size_t first = 0;
  size_t last = 0;
  // Frames in the order in which they are shown.
  std::vector<size_t> wanted;
};

// The frames of a stream in the order in which they are shown. Their times count from the first
// one, in microseconds.
class FrameIndex {
 public:
  // A tick lasts num/den seconds; both positive. `packets` may be empty.
  FrameIndex(std::vector<PacketInfo> packets, int64_t num, int64_t den,
             const StreamOrder& order = {});

  size_t size() const { return shown_.size(); }
  const std::vector<PacketInfo>& packets() const { return packets_; }
  // The place of a frame's packet in packets().
  size_t packet_of(size_t frame) const { return shown_[frame]; }
  int64_t pts_of(size_t frame) const { return packets_[shown_[frame]].pts; }
  int64_t time_us(size_t frame) const { return ToMicros(pts_of(frame) - origin_); }

  // When the last frame ends; above the time of every frame. 0 for no frames.
  int64_t end_us() const { return end_us_; }
  // When the first frame is shown by the file's own clock.
  int64_t origin_us() const { return ToMicros(origin_); }
  // As long as a frame is shown on average; at least 1.
  int64_t mean_frame_us() const;
  // Before this every frame is there, also when more packets would have followed: what comes later
  // in decoding order is shown no earlier than it is decoded. Without times of decoding, the frames
  // that are there tell how far behind another may come, and gaps between them that some are
  // missing.
  int64_t certain_us() const { return certain_us_; }

  // The frame that is shown at a time: the last that begins at or before it, or the first. There
  // are frames.
  size_t FrameAt(int64_t time_us) const;

  // What to decode for frames that ascend. A segment begins at the last packet from which a frame
  // can be decoded, so that nothing is decoded that no wanted frame needs, but for what lies
  // between two frames of one segment.
  std::vector<Segment> Plan(const std::vector<size_t>& frames) const;

 private:
  int64_t ToMicros(int64_t ticks) const;
  int64_t CertainTicks(int64_t end, const StreamOrder& order) const;
  size_t StartFor(size_t frame) const;

  const std::vector<PacketInfo> packets_;
  const int64_t num_;
  const int64_t den_;
  std::vector<size_t> shown_;
  std::vector<size_t> keys_;
  int64_t origin_ = 0;
  int64_t end_us_ = 0;
  int64_t certain_us_ = 0;
};

}  // namespace terminus::media::video
