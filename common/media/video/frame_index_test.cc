#include "common/media/video/frame_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace terminus::media::video {

void PrintTo(const Segment& segment, std::ostream* out) {
  *out << "[" << segment.first << ", " << segment.last << "] for "
       << ::testing::PrintToString(segment.wanted);
}

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

MATCHER_P3(Decodes, first, last, wanted, "") {
  return arg.first == static_cast<size_t>(first) && arg.last == static_cast<size_t>(last) &&
         arg.wanted == wanted;
}

using Frames = std::vector<size_t>;

PacketInfo Packet(int64_t pts, bool key = false) {
  return {.pts = pts, .dts = 0, .duration = 1, .key = key};
}

// In decoding order I0 P2 b1 | I3 P5 b4, a tick a second.
FrameIndex TwoGroups() {
  std::vector<PacketInfo> packets = {Packet(0, true), Packet(2), Packet(1),
                                     Packet(3, true), Packet(5), Packet(4)};
  for (size_t i = 0; i < packets.size(); ++i) packets[i].dts = static_cast<int64_t>(i) - 1;
  return FrameIndex(packets, 1, 1);
}

TEST(FrameIndexTest, FramesAreInTheOrderInWhichTheyAreShown) {
  const FrameIndex index = TwoGroups();
  ASSERT_EQ(index.size(), 6u);
  EXPECT_EQ(index.packet_of(1), 2u);
  EXPECT_EQ(index.time_us(5), 5'000'000);
  EXPECT_EQ(index.end_us(), 6'000'000);
  EXPECT_EQ(index.mean_frame_us(), 1'000'000);
}

TEST(FrameIndexTest, AFrameIsShownUntilTheNext) {
  const FrameIndex index({Packet(100, true), Packet(103), Packet(104)}, 1, 10);
  EXPECT_EQ(index.FrameAt(-5), 0u);
  EXPECT_EQ(index.FrameAt(0), 0u);
  EXPECT_EQ(index.FrameAt(299'999), 0u);
  EXPECT_EQ(index.FrameAt(300'000), 1u);
  EXPECT_EQ(index.FrameAt(1'000'000'000), 2u);
  EXPECT_EQ(index.end_us(), 500'000);
}

TEST(FrameIndexTest, OnlyWhatIsNeededIsDecoded) {
  const FrameIndex index = TwoGroups();
  EXPECT_THAT(index.Plan({}), IsEmpty());
  EXPECT_THAT(index.Plan({0}), ElementsAre(Decodes(0, 0, Frames{0})));
  EXPECT_THAT(index.Plan({1}), ElementsAre(Decodes(0, 2, Frames{1})));
  EXPECT_THAT(index.Plan({5}), ElementsAre(Decodes(3, 4, Frames{5})));
  EXPECT_THAT(index.Plan({2, 4}), ElementsAre(Decodes(0, 1, Frames{2}), Decodes(3, 5, Frames{4})));
  EXPECT_THAT(index.Plan({0, 1, 2}), ElementsAre(Decodes(0, 2, (Frames{0, 1, 2}))));
}

TEST(FrameIndexTest, LeadingFramesNeedTheGroupBefore) {
  // I0 P3 | I6 b4 b5 P7: 4 and 5 are decoded after the key frame 6 and shown before it.
  const FrameIndex index(
      {Packet(0, true), Packet(3), Packet(6, true), Packet(4), Packet(5), Packet(7)}, 1, 1);
  EXPECT_THAT(index.Plan({2}), ElementsAre(Decodes(0, 3, Frames{2})));
  EXPECT_THAT(index.Plan({4}), ElementsAre(Decodes(2, 2, Frames{4})));
  EXPECT_THAT(index.Plan({2, 5}), ElementsAre(Decodes(0, 5, (Frames{2, 5}))));
}

TEST(FrameIndexTest, SegmentsNeverMeet) {
  // Whatever the times are, segments ascend: packets are read once, front to back.
  uint32_t random = 1;
  const auto next = [&](uint32_t below) {
    random = random * 1664525 + 1013904223;
    return (random >> 8) % below;
  };
  for (int round = 0; round < 2000; ++round) {
    std::vector<PacketInfo> packets;
    const size_t count = 1 + next(12);
    for (size_t i = 0; i < count; ++i) {
      packets.push_back(Packet(next(10), next(3) == 0));
      packets.back().shown = next(5) != 0;
    }
    const FrameIndex index(packets, 1, 1);
    Frames frames;
    for (size_t i = 0; i < index.size(); ++i) {
      if (next(2) == 0) frames.push_back(i);
    }
    Frames planned;
    const auto plan = index.Plan(frames);
    for (size_t i = 0; i < plan.size(); ++i) {
      EXPECT_LE(plan[i].first, plan[i].last);
      if (i > 0) {
        EXPECT_GT(plan[i].first, plan[i - 1].last);
      }
      for (const size_t frame : plan[i].wanted) {
        EXPECT_GE(index.packet_of(frame), plan[i].first);
        EXPECT_LE(index.packet_of(frame), plan[i].last);
        planned.push_back(frame);
      }
    }
    EXPECT_EQ(planned, frames);
  }
}

TEST(FrameIndexTest, PacketsThatAreNotShown) {
  std::vector<PacketInfo> packets = {Packet(-2, true), Packet(0), Packet(1)};
  packets[0].shown = false;
  const FrameIndex index(packets, 1, 1);
  EXPECT_EQ(index.size(), 2u);
  EXPECT_EQ(index.time_us(0), 0);
  EXPECT_THAT(index.Plan({0}), ElementsAre(Decodes(0, 1, Frames{0})));
  EXPECT_EQ(FrameIndex({}, 1, 1).size(), 0u);
}

TEST(FrameIndexTest, WhatIsCertainEndsWhereDecodingOrderDoes) {
  // I0 P4 b2, and b1 and b3 may have followed.
  std::vector<PacketInfo> packets = {Packet(0, true), Packet(4), Packet(2)};
  packets[0].dts = -2;
  packets[1].dts = -1;
  packets[2].dts = 0;
  EXPECT_EQ(FrameIndex(packets, 1, 1).certain_us(), 1'000'000);
  EXPECT_EQ(FrameIndex(packets, 1, 1).end_us(), 5'000'000);
}

TEST(FrameIndexTest, WhatIsCertainWithoutTimesOfDecoding) {
  // I0 P4 b2 b1 | P8: the next may be shown as early as 5, three before the latest.
  const std::vector<PacketInfo> packets = {Packet(0, true), Packet(4), Packet(2),
                                           Packet(1),       Packet(3), Packet(8)};
  EXPECT_EQ(FrameIndex(packets, 1, 1, {.has_dts = false}).certain_us(), 5'000'000);
  // I0 P4: that three are missing between them only the frame rate tells.
  const std::vector<PacketInfo> begun = {Packet(0, true), Packet(4)};
  EXPECT_EQ(FrameIndex(begun, 1, 1, {.has_dts = false}).certain_us(), 5'000'000);
  EXPECT_EQ(FrameIndex(begun, 1, 1, {.has_dts = false, .frame_ticks = 1}).certain_us(), 1'000'000);
}

TEST(FrameIndexTest, AbsurdTimesDoNotOverflow) {
  const int64_t most = int64_t{1} << 53;
  const FrameIndex index({Packet(-most, true), Packet(most)}, INT32_MAX, 1);
  EXPECT_GT(index.end_us(), index.time_us(1));
}

TEST(FrameIndexTest, OneFrameWithoutDurationHasOne) {
  PacketInfo packet = Packet(7, true);
  packet.duration = 0;
  EXPECT_GT(FrameIndex({packet}, 1, 1000).end_us(), 0);
}

}  // namespace
}  // namespace terminus::media::video
