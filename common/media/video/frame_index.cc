#include "common/media/video/frame_index.h"

#include <algorithm>
#include <utility>

namespace terminus::media::video {

FrameIndex::FrameIndex(std::vector<PacketInfo> packets, int64_t num, int64_t den,
                       const StreamOrder& order)
    : packets_(std::move(packets)), num_(num), den_(den) {
  for (size_t i = 0; i < packets_.size(); ++i) {
    if (packets_[i].shown) shown_.push_back(i);
    if (packets_[i].key) keys_.push_back(i);
  }
  if (shown_.empty()) return;
  std::stable_sort(shown_.begin(), shown_.end(),
                   [this](size_t a, size_t b) { return packets_[a].pts < packets_[b].pts; });
  origin_ = pts_of(0);
  const size_t count = shown_.size();
  int64_t last = packets_[shown_.back()].duration;
  if (last <= 0 && count > 1) {
    last = (pts_of(count - 1) - origin_) / static_cast<int64_t>(count - 1);
  }
  const int64_t end = pts_of(count - 1) + std::max<int64_t>(1, last);
  end_us_ = std::max(ToMicros(end - origin_), time_us(count - 1) + 1);
  certain_us_ = std::clamp<int64_t>(ToMicros(CertainTicks(end, order) - origin_), 0, end_us_);
}

int64_t FrameIndex::CertainTicks(int64_t end, const StreamOrder& order) const {
  if (order.has_dts) {
    int64_t last = INT64_MIN;
    for (const PacketInfo& packet : packets_) {
      last = std::max(last, packet.dts + std::max<int64_t>(0, packet.duration));
    }
    return std::min(end, last);
  }
  int64_t certain = end;
  // How far behind the latest frame so far another one came.
  int64_t latest = packets_[0].pts;
  int64_t behind = 0;
  for (const PacketInfo& packet : packets_) {
    behind = std::max(behind, latest - packet.pts);
    latest = std::max(latest, packet.pts);
  }
  if (behind > 0) certain = std::min(certain, latest - behind);
  for (size_t i = 0; order.frame_ticks > 0 && i + 1 < shown_.size(); ++i) {
    if (2 * (pts_of(i + 1) - pts_of(i)) > 3 * order.frame_ticks) {
      return std::min(certain, pts_of(i) + order.frame_ticks);
    }
  }
  return certain;
}

int64_t FrameIndex::ToMicros(int64_t ticks) const {
  const __int128 scaled = static_cast<__int128>(ticks) * num_ * 1'000'000;
  // Rounded down, for negative ticks too.
  const __int128 quotient = scaled / den_ - (scaled % den_ < 0 ? 1 : 0);
  constexpr __int128 kMost = int64_t{1} << 62;
  return static_cast<int64_t>(std::clamp<__int128>(quotient, -kMost, kMost));
}

int64_t FrameIndex::mean_frame_us() const {
  return shown_.empty() ? 1 : std::max<int64_t>(1, end_us_ / static_cast<int64_t>(shown_.size()));
}

size_t FrameIndex::FrameAt(int64_t time_us) const {
  size_t low = 0;
  size_t high = shown_.size();
  while (high - low > 1) {
    const size_t middle = low + (high - low) / 2;
    (this->time_us(middle) <= time_us ? low : high) = middle;
  }
  return low;
}

size_t FrameIndex::StartFor(size_t frame) const {
  const size_t packet = packet_of(frame);
  const int64_t pts = packets_[packet].pts;
  auto key = std::upper_bound(keys_.begin(), keys_.end(), packet);
  while (key != keys_.begin()) {
    --key;
    // Frames that are decoded after a key frame and shown before it may refer to what is before.
    if (packets_[*key].pts <= pts) return *key;
  }
  return 0;
}

std::vector<Segment> FrameIndex::Plan(const std::vector<size_t>& frames) const {
  std::vector<Segment> segments;
  for (const size_t frame : frames) {
    const size_t start = StartFor(frame);
    if (segments.empty() || start > segments.back().last) {
      segments.push_back({.first = start, .last = start});
    }
    // A frame that is shown late may be decoded early: segments that meet become one.
    while (segments.size() > 1 && segments[segments.size() - 2].last >= start) {
      Segment& kept = segments[segments.size() - 2];
      kept.last = std::max(kept.last, segments.back().last);
      kept.wanted.insert(kept.wanted.end(), segments.back().wanted.begin(),
                         segments.back().wanted.end());
      segments.pop_back();
    }
    Segment& segment = segments.back();
    segment.first = std::min(segment.first, start);
    segment.last = std::max(segment.last, packet_of(frame));
    segment.wanted.push_back(frame);
  }
  return segments;
}

}  // namespace terminus::media::video
