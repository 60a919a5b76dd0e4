#include "services/video/video_frontend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "common/base/errors.h"

namespace terminus::services::video {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr size_t kFrameBytes = 16 * 16 * 3;

class VideoFrontendTest : public testing::Test {
 protected:
  VideoFrontendTest() {
    limits_.max_video_bytes = 60'000;
    limits_.max_video_frames = 8;
  }

  static std::string ReadFile(const std::string& name) {
    std::ifstream file("tests/golden/media/video/" + name, std::ios::binary);
    EXPECT_TRUE(file.good()) << name;
    return {std::istreambuf_iterator<char>(file), {}};
  }

  v1::Video* Add(const std::string& bytes) {
    v1::Video* video = request_.add_items()->mutable_content()->mutable_video();
    video->set_data(bytes);
    return video;
  }

  VideoFrontend Frontend() const {
    auto preprocessor = media::ImagePreprocessor::FromJson(R"({
      "size": {"height": 16, "width": 16}, "do_normalize": false})");
    EXPECT_TRUE(preprocessor.ok()) << preprocessor.status();
    return VideoFrontend(*preprocessor, 4, limits_);
  }

  serving::Prepared<executor::VideoBatch> Prepare() {
    const std::vector<absl::Status> admitted(static_cast<size_t>(request_.items_size()));
    return Frontend().Prepare(request_, admitted, pool_);
  }

  config::Limits limits_;
  v1::EncodeBatchRequest request_;
  base::ThreadPool pool_{"test", 2, 64};
};

TEST_F(VideoFrontendTest, ClipsBecomeRowsOfFramesInOrder) {
  Add(ReadFile("h264.mp4"));
  Add(ReadFile("vfr.gif"))->set_frames(2);
  v1::Video* part = Add(ReadFile("h264.mp4"));
  part->set_start_us(400'000);
  part->set_end_us(500'000);
  part->set_frames(1);
  request_.mutable_items(1)->set_per_frame(true);
  const auto prepared = Prepare();
  ASSERT_THAT(prepared.items, SizeIs(3));
  for (const auto& item : prepared.items) EXPECT_TRUE(item.status.ok()) << item.status;
  EXPECT_THAT(prepared.batch.offsets, ElementsAre(0, 4, 6, 7));
  EXPECT_EQ(prepared.batch.frames.count, 7);
  EXPECT_EQ(prepared.batch.frames.height, 16);
  EXPECT_THAT(prepared.batch.frames.pixels, SizeIs(7 * kFrameBytes));
  EXPECT_TRUE(prepared.batch.per_frame);
  EXPECT_TRUE(prepared.items[1].per_frame);
  EXPECT_FALSE(prepared.items[0].per_frame);
  EXPECT_EQ(prepared.items[0].cost.frames(), 4u);
  // 1.2 s in four parts, frames of 40 ms.
  EXPECT_THAT(prepared.items[0].frame_us, ElementsAre(120'000, 440'000, 720'000, 1'040'000));
  EXPECT_THAT(prepared.items[2].frame_us, ElementsAre(440'000));
  // The third clip's frame is the first clip's second.
  const auto frame = [&](size_t i) {
    const auto begin = prepared.batch.frames.pixels.begin() + i * kFrameBytes;
    return std::vector<uint8_t>(begin, begin + kFrameBytes);
  };
  EXPECT_EQ(frame(6), frame(1));
  EXPECT_NE(frame(6), frame(0));
}

TEST_F(VideoFrontendTest, BadVideosFailAlone) {
  const std::string good = ReadFile("h264.mp4");
  Add("");
  Add(good);
  Add("not a video at all");
  Add(ReadFile("sound.mp4"));
  Add(ReadFile("vp8.webm"));
  Add(good + std::string(60'000, 'x'));
  Add(good)->set_frames(9);
  Add(good)->set_frames(-1);
  Add(good)->set_start_us(5'000'000);
  Add(good)->set_end_us(5'000'000);
  Add(ReadFile("odd.mp4").substr(0, ReadFile("odd.mp4").size() / 2));
  request_.add_items()->mutable_content()->set_text("not a video");
  const auto prepared = Prepare();
  EXPECT_THAT(prepared.batch.offsets, ElementsAre(0, 4));
  const auto expect = [&](size_t i, const char* reason, const char* field) {
    EXPECT_EQ(prepared.items[i].status.code(), absl::StatusCode::kInvalidArgument) << i;
    EXPECT_EQ(base::Reason(prepared.items[i].status), reason) << prepared.items[i].status;
    EXPECT_EQ(base::Field(prepared.items[i].status), field) << prepared.items[i].status;
  };
  expect(0, base::kReasonEmptyItem, "video");
  EXPECT_TRUE(prepared.items[1].status.ok()) << prepared.items[1].status;
  expect(2, base::kReasonUnsupportedFormat, "video");
  expect(3, base::kReasonVideoNoStream, "video");
  expect(4, base::kReasonUnsupportedFormat, "video");
  expect(5, base::kReasonVideoTooLarge, "video");
  expect(6, base::kReasonVideoTooManyFrames, "video.frames");
  expect(7, base::kReasonVideoTooManyFrames, "video.frames");
  expect(8, base::kReasonVideoRange, "video.start_us");
  expect(9, base::kReasonVideoRange, "video.end_us");
  expect(10, base::kReasonVideoTruncated, "video");
  expect(11, base::kReasonUnsupportedModality, "");
}

TEST_F(VideoFrontendTest, LateAndAbandonedVideosAreNotDecoded) {
  Add(ReadFile("h264.mp4"));
  Add(ReadFile("h264.mp4"));
  Add(ReadFile("h264.mp4"));
  std::vector<absl::Status> admitted(3);
  admitted[0] = absl::DeadlineExceededError("in the queue");
  const std::vector<absl::Time> deadlines = {absl::InfiniteFuture(), absl::InfinitePast(),
                                             absl::InfiniteFuture()};
  auto prepared = Frontend().PrepareUntil(request_, admitted, deadlines, nullptr, pool_);
  EXPECT_EQ(prepared.items[0].status, admitted[0]);
  EXPECT_EQ(base::Reason(prepared.items[1].status), base::kReasonDeadline);
  EXPECT_TRUE(prepared.items[2].status.ok());
  prepared = Frontend().PrepareUntil(
      request_, admitted, deadlines, [] { return true; }, pool_);
  EXPECT_EQ(base::Reason(prepared.items[2].status), base::kReasonCancelled);
  EXPECT_THAT(prepared.batch.frames.pixels, IsEmpty());
}

}  // namespace
}  // namespace terminus::services::video
