#include "common/media/video/clip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "common/base/errors.h"

namespace terminus::media::video {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// Those that make_goldens chose.
constexpr size_t kGoldenFrames[] = {0, 1, 9, 10, 11, 23};

std::string ReadFile(const std::string& name) {
  std::ifstream file("tests/golden/media/video/" + name, std::ios::binary);
  EXPECT_TRUE(file.good()) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

// When each frame is shown, in microseconds from the first.
std::vector<int64_t> ReadTimes(const std::string& name) {
  std::ifstream file("tests/golden/media/video/" + name + ".times");
  std::vector<int64_t> times;
  for (double seconds = 0; file >> seconds;) times.push_back(std::llround(seconds * 1e6));
  const int64_t first = times.at(0);
  for (int64_t& time : times) time -= first;
  return times;
}

struct Decoded {
  absl::Status status;
  std::vector<int64_t> times;
  // By place.
  std::vector<Image> frames;
};

Decoded DecodeAt(absl::string_view bytes, const std::vector<int64_t>& times, int threads = 1,
                 const VideoLimits& limits = {}) {
  Decoded decoded;
  const auto clip = Clip::Open(bytes, limits);
  decoded.status = clip.status();
  if (!clip.ok()) return decoded;
  decoded.frames.resize(times.size());
  auto shown = clip->Decode(times, {.threads = threads},
                            [&](absl::Span<const size_t> places, const Image& frame) {
                              for (const size_t place : places) decoded.frames[place] = frame;
                            });
  decoded.status = shown.status();
  if (shown.ok()) decoded.times = *std::move(shown);
  return decoded;
}

std::string ReasonAt(absl::string_view bytes, const std::vector<int64_t>& times) {
  const absl::Status status = DecodeAt(bytes, times).status;
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  return base::Reason(status);
}

double MeanDifference(absl::string_view a, const Image& b) {
  EXPECT_EQ(a.size(), b.rgb.size());
  double sum = 0;
  for (size_t i = 0; i < b.rgb.size(); ++i) {
    sum += std::abs(static_cast<int>(static_cast<uint8_t>(a[i])) - b.rgb[i]);
  }
  return sum / static_cast<double>(b.rgb.size());
}

class ClipGoldenTest : public ::testing::TestWithParam<const char*> {
 protected:
  const std::string bytes_ = ReadFile(GetParam());
  const std::vector<int64_t> times_ = ReadTimes(GetParam());
  const std::string golden_ = ReadFile(std::string(GetParam()) + ".rgb");
  const size_t frame_bytes_ = golden_.size() / std::size(kGoldenFrames);

  absl::string_view Golden(size_t i) const {
    return absl::string_view(golden_).substr(i * frame_bytes_, frame_bytes_);
  }

  // The right frame, and no neighbour of it.
  void ExpectGolden(const Image& frame, size_t i) const {
    EXPECT_LE(MeanDifference(Golden(i), frame), 2) << "frame " << kGoldenFrames[i];
    for (size_t other = 0; other < std::size(kGoldenFrames); ++other) {
      if (other != i) {
        EXPECT_GT(MeanDifference(Golden(other), frame), MeanDifference(Golden(i), frame) + 1)
            << "frame " << kGoldenFrames[i] << " like " << kGoldenFrames[other];
      }
    }
  }
};

TEST_P(ClipGoldenTest, KnowsWhenEveryFrameIsShown) {
  const auto clip = Clip::Open(bytes_, {});
  ASSERT_TRUE(clip.ok()) << clip.status();
  ASSERT_EQ(clip->frame_count(), times_.size());
  const Decoded all = DecodeAt(bytes_, times_);
  ASSERT_TRUE(all.status.ok()) << all.status;
  for (size_t i = 0; i < times_.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(all.times[i]), static_cast<double>(times_[i]), 1) << i;
  }
}

TEST_P(ClipGoldenTest, FramesAreThoseOfFfmpeg) {
  for (const int threads : {1, 3}) {
    std::vector<int64_t> wanted;
    for (const size_t frame : kGoldenFrames) wanted.push_back(times_[frame] + 1000);
    const Decoded decoded = DecodeAt(bytes_, wanted, threads);
    ASSERT_TRUE(decoded.status.ok()) << decoded.status;
    for (size_t i = 0; i < std::size(kGoldenFrames); ++i) ExpectGolden(decoded.frames[i], i);
  }
}

// From another key frame each, with what is not needed left out.
TEST_P(ClipGoldenTest, EachFrameAloneIsTheSame) {
  for (size_t i = 0; i < std::size(kGoldenFrames); ++i) {
    const Decoded alone = DecodeAt(bytes_, {times_[kGoldenFrames[i]] + 1000});
    ASSERT_TRUE(alone.status.ok()) << alone.status;
    ExpectGolden(alone.frames[0], i);
  }
}

TEST_P(ClipGoldenTest, CutOffAnywhereIsAnErrorOrTheRightFrame) {
  const Decoded whole = DecodeAt(bytes_, {times_.back() + 1000});
  ASSERT_TRUE(whole.status.ok()) << whole.status;
  for (size_t length = 0; length < bytes_.size(); length += 1 + bytes_.size() / 200) {
    const absl::string_view bytes = absl::string_view(bytes_).substr(0, length);
    const Decoded decoded = DecodeAt(bytes, {times_[kGoldenFrames[2]] + 1000});
    if (decoded.status.ok()) {
      ExpectGolden(decoded.frames[0], 2);
    } else {
      EXPECT_EQ(decoded.status.code(), absl::StatusCode::kInvalidArgument) << decoded.status;
      EXPECT_NE(base::Reason(decoded.status), "");
    }
    // Only what stands behind the last frame may be missing.
    const Decoded last = DecodeAt(bytes, {times_.back() + 1000});
    if (last.status.ok()) {
      EXPECT_EQ(last.times, whole.times) << length;
      EXPECT_EQ(last.frames[0].rgb, whole.frames[0].rgb) << length;
    }
  }
}

TEST_P(ClipGoldenTest, FlippedBytesNeverCrash) {
  std::string bytes = bytes_;
  for (size_t at = 0; at < bytes.size(); at += 1 + bytes.size() / 300) {
    for (const char flip : {'\x01', '\xff'}) {
      bytes[at] = static_cast<char>(bytes[at] ^ flip);
      const Decoded decoded = DecodeAt(bytes, {0, times_[7]}, 1, {.max_pixels = 10'000});
      if (!decoded.status.ok()) {
        ASSERT_NE(base::Reason(decoded.status), "") << decoded.status;
      }
      bytes[at] = static_cast<char>(bytes[at] ^ flip);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, ClipGoldenTest,
                         ::testing::Values("h264.mp4", "open_gop.mkv", "vp9.webm", "odd.mp4",
                                           "vfr.gif", "vfr.mp4", "turned90.mp4", "turned180.mp4",
                                           "turned270.mp4", "full_range.mp4"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

TEST(ProbeVideoTest, SaysWhatTheHeaderSays) {
  const auto mp4 = ProbeVideo(ReadFile("h264.mp4"), {});
  ASSERT_TRUE(mp4.ok()) << mp4.status();
  EXPECT_EQ(mp4->container, VideoContainer::kMp4);
  EXPECT_EQ(mp4->codec, "H.264");
  EXPECT_EQ(mp4->width, 64);
  EXPECT_EQ(mp4->height, 48);
  EXPECT_EQ(mp4->duration, absl::Milliseconds(1200));
  EXPECT_DOUBLE_EQ(mp4->frames_per_second, 25);
  const auto turned = ProbeVideo(ReadFile("turned90.mp4"), {});
  ASSERT_TRUE(turned.ok()) << turned.status();
  EXPECT_EQ(turned->width, 48);
  EXPECT_EQ(turned->height, 64);
  EXPECT_EQ(ProbeVideo(ReadFile("vp9.webm"), {})->codec, "VP9");
  EXPECT_EQ(ProbeVideo(ReadFile("odd.mp4"), {})->codec, "MPEG-4");
  EXPECT_EQ(ProbeVideo(ReadFile("vfr.gif"), {})->codec, "GIF");
}

TEST(ClipTest, RefusesWhatIsNoVideo) {
  EXPECT_EQ(ReasonAt("", {0}), base::kReasonEmptyItem);
  EXPECT_EQ(ReasonAt("neither fish nor fowl", {0}), base::kReasonUnsupportedFormat);
  EXPECT_EQ(ReasonAt("RIFF\x10\0\0\0AVI LIST", {0}), base::kReasonUnsupportedFormat);
  EXPECT_EQ(ReasonAt(ReadFile("still.gif").substr(0, 100), {0}), base::kReasonVideoTruncated);
  EXPECT_EQ(ReasonAt(ReadFile("sound.mp4"), {0}), base::kReasonVideoNoStream);
  const absl::Status codec = DecodeAt(ReadFile("vp8.webm"), {0}).status;
  EXPECT_EQ(base::Reason(codec), base::kReasonUnsupportedFormat);
  EXPECT_THAT(std::string(codec.message()), AllOf(HasSubstr("vp8"), HasSubstr("H.264")));
}

TEST(ClipTest, StillPictureIsAClip) {
  const std::string bytes = ReadFile("still.gif");
  const auto clip = Clip::Open(bytes, {});
  ASSERT_TRUE(clip.ok()) << clip.status();
  EXPECT_EQ(clip->frame_count(), 1u);
  const auto times = clip->UniformTimes({}, 4);
  ASSERT_TRUE(times.ok()) << times.status();
  const Decoded decoded = DecodeAt(bytes, *times);
  ASSERT_TRUE(decoded.status.ok()) << decoded.status;
  EXPECT_THAT(decoded.times, ElementsAre(0, 0, 0, 0));
  EXPECT_EQ(decoded.frames[0].rgb, decoded.frames[3].rgb);
  EXPECT_EQ(decoded.frames[0].width, 64);
}

TEST(ClipTest, UniformTimesAreTheCentresOfEqualParts) {
  const auto clip = Clip::Open(ReadFile("h264.mp4"), {});
  ASSERT_TRUE(clip.ok()) << clip.status();
  EXPECT_EQ(clip->duration_us(), 1'200'000);
  EXPECT_THAT(*clip->UniformTimes({}, 3), ElementsAre(200'000, 600'000, 1'000'000));
  EXPECT_THAT(*clip->UniformTimes({.start_us = 100'000, .end_us = 200'000}, 2),
              ElementsAre(125'000, 175'000));
  EXPECT_THAT(*clip->UniformTimes({.start_us = 1'199'999}, 1), ElementsAre(1'199'999));
  // A rounded end.
  EXPECT_TRUE(clip->UniformTimes({.end_us = 1'230'000}, 1).ok());
}

TEST(ClipTest, RangesOutsideTheClipAreRefused) {
  const auto clip = Clip::Open(ReadFile("h264.mp4"), {});
  ASSERT_TRUE(clip.ok()) << clip.status();
  const auto field = [&](const TimeRange& range) {
    const absl::Status status = clip->UniformTimes(range, 1).status();
    EXPECT_EQ(base::Reason(status), base::kReasonVideoRange) << status;
    return base::Field(status);
  };
  EXPECT_EQ(field({.start_us = 1'200'000}), "start_us");
  EXPECT_EQ(field({.start_us = -1}), "start_us");
  EXPECT_EQ(field({.end_us = 1'300'000}), "end_us");
  EXPECT_EQ(field({.start_us = 500'000, .end_us = 400'000}), "end_us");
  EXPECT_EQ(field({.start_us = 500'000, .end_us = 500'000}), "end_us");
  EXPECT_EQ(field({.start_us = INT64_MAX}), "start_us");
  EXPECT_EQ(field({.end_us = INT64_MIN}), "end_us");
  EXPECT_EQ(field({.end_us = INT64_MAX}), "end_us");
  EXPECT_EQ(ReasonAt(ReadFile("h264.mp4"), {1'200'000}), base::kReasonVideoRange);
  EXPECT_EQ(ReasonAt(ReadFile("h264.mp4"), {-1}), base::kReasonVideoRange);
}

TEST(ClipTest, LimitsHold) {
  const std::string bytes = ReadFile("h264.mp4");
  EXPECT_TRUE(Clip::Open(bytes, {.max_pixels = 64 * 48}).ok());
  const absl::Status pixels = Clip::Open(bytes, {.max_pixels = 64 * 48 - 1}).status();
  EXPECT_EQ(base::Reason(pixels), base::kReasonVideoTooLarge);
  EXPECT_THAT(std::string(pixels.message()), AllOf(HasSubstr("64 x 48"), HasSubstr("3071")));
  EXPECT_TRUE(Clip::Open(bytes, {.max_duration = absl::Milliseconds(1200)}).ok());
  const absl::Status duration =
      Clip::Open(bytes, {.max_duration = absl::Milliseconds(1199)}).status();
  EXPECT_EQ(base::Reason(duration), base::kReasonVideoTooLong);
  EXPECT_THAT(std::string(duration.message()), AllOf(HasSubstr("1.2 s"), HasSubstr("1.199 s")));
}

// The header's size is small, the codec's own is not.
TEST(ClipTest, SizeThatOnlyTheCodecClaimsIsRefused) {
  std::string bytes = ReadFile("h264.mp4");
  // Width and height in the sample entry, which the demuxer believes.
  const size_t entry = bytes.find("avc1", bytes.find("stsd"));
  ASSERT_NE(entry, std::string::npos);
  bytes[entry + 4 + 25] = 8;
  bytes[entry + 4 + 27] = 8;
  const Decoded decoded = DecodeAt(bytes, {0}, 1, {.max_pixels = 1000});
  EXPECT_EQ(base::Reason(decoded.status), base::kReasonVideoTooLarge) << decoded.status;
}

// Puts a number of four bytes behind the first `box`.
void Patch(std::string& bytes, const std::string& box, size_t offset, uint32_t value) {
  const size_t at = bytes.find(box);
  ASSERT_NE(at, std::string::npos) << box;
  for (int i = 0; i < 4; ++i) {
    bytes[at + offset + i] = static_cast<char>(value >> (24 - 8 * i));
  }
}

TEST(ClipTest, TenHoursByTheHeaderAreRefused) {
  constexpr uint32_t kSeconds = 10 * 3600;
  // The movie's clock ticks a thousand times a second, the track's 12800; 30 frames.
  std::string bytes = ReadFile("h264.mp4");
  Patch(bytes, "mvhd", 20, kSeconds * 1000);
  Patch(bytes, "tkhd", 24, kSeconds * 1000);
  Patch(bytes, "elst", 12, kSeconds * 1000);
  Patch(bytes, "mdhd", 20, kSeconds * 12800);
  Patch(bytes, "stts", 16, kSeconds * 12800 / 30);
  const absl::Status mp4 = ProbeVideo(bytes, {}).status();
  EXPECT_EQ(base::Reason(mp4), base::kReasonVideoTooLong) << mp4;
  EXPECT_THAT(std::string(mp4.message()), AllOf(HasSubstr("36000"), HasSubstr("3600 s")));

  // Of a movie whose track disagrees, the track counts.
  bytes = ReadFile("h264.mp4");
  Patch(bytes, "mvhd", 20, kSeconds * 1000);
  const auto track = Clip::Open(bytes, {});
  ASSERT_TRUE(track.ok()) << track.status();
  EXPECT_EQ(track->duration_us(), 1'200'000);

  // Matroska: a double behind the element's id and size.
  std::string webm = ReadFile("vp9.webm");
  const size_t at = webm.find("\x44\x89\x88");
  ASSERT_NE(at, std::string::npos);
  const double milliseconds = 36'000'000;
  uint64_t bits = 0;
  std::memcpy(&bits, &milliseconds, sizeof(bits));
  for (int i = 0; i < 8; ++i) webm[at + 3 + i] = static_cast<char>(bits >> (56 - 8 * i));
  EXPECT_EQ(base::Reason(Clip::Open(webm, {}).status()), base::kReasonVideoTooLong);
}

TEST(ClipTest, CutOffClipGivesWhatItHas) {
  const std::string whole = ReadFile("vfr.mp4");
  const absl::string_view bytes = absl::string_view(whole).substr(0, whole.size() * 2 / 3);
  const Decoded there = DecodeAt(bytes, {0, 100'000});
  EXPECT_TRUE(there.status.ok()) << there.status;
  const std::string plain = ReadFile("odd.mp4");
  // Its index is at the end.
  EXPECT_EQ(ReasonAt(absl::string_view(plain).substr(0, plain.size() / 2), {0}),
            base::kReasonVideoTruncated);
}

TEST(ClipTest, CutOffClipNamesWhatIsMissing) {
  const std::string whole = ReadFile("open_gop.mkv");
  const absl::string_view bytes = absl::string_view(whole).substr(0, whole.size() / 2);
  const auto clip = Clip::Open(bytes, {});
  ASSERT_TRUE(clip.ok()) << clip.status();
  const auto times = clip->UniformTimes({}, 4);
  ASSERT_TRUE(times.ok()) << times.status();
  const absl::Status missing = DecodeAt(bytes, *times).status;
  EXPECT_EQ(base::Reason(missing), base::kReasonVideoTruncated);
  EXPECT_THAT(std::string(missing.message()), AllOf(HasSubstr("cut off"), HasSubstr("wanted")));
  const auto begun = clip->UniformTimes({.end_us = 200'000}, 4);
  ASSERT_TRUE(begun.ok()) << begun.status();
  EXPECT_TRUE(DecodeAt(bytes, *begun).status.ok());
}

TEST(ClipTest, StopsWhenToldTo) {
  const std::string bytes = ReadFile("h264.mp4");
  const auto enough = [] { return absl::DeadlineExceededError("enough"); };
  EXPECT_EQ(Clip::Open(bytes, {}, enough).status().code(), absl::StatusCode::kDeadlineExceeded);
  const auto clip = Clip::Open(bytes, {});
  ASSERT_TRUE(clip.ok()) << clip.status();
  int asked = 0;
  int taken = 0;
  const auto later = [&]() -> absl::Status {
    return ++asked < 15 ? absl::OkStatus() : absl::CancelledError("enough");
  };
  const auto times = clip->Decode({0, 1'199'000}, {.go_on = later},
                                  [&](absl::Span<const size_t>, const Image&) { ++taken; });
  EXPECT_EQ(times.status().code(), absl::StatusCode::kCancelled);
  EXPECT_LE(taken, 1);
  EXPECT_EQ(asked, 15);
}

TEST(ClipTest, NothingElseIsOpened) {
  // An external reference in place of "the data is in this file": what it names is never read, and
  // the media that is here is taken instead.
  std::string bytes = ReadFile("h264.mp4");
  const size_t reference = bytes.find("url ");
  ASSERT_NE(reference, std::string::npos);
  bytes[reference + 7] = 0;  // Flag 1: in the same file.
  const Decoded decoded = DecodeAt(bytes, {0});
  if (!decoded.status.ok()) {
    EXPECT_EQ(decoded.status.code(), absl::StatusCode::kInvalidArgument) << decoded.status;
  }
}

}  // namespace
}  // namespace terminus::media::video
