#include "common/media/video/sample.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "common/base/errors.h"

namespace terminus::media::video {
namespace {

using ::testing::ElementsAre;

class SampleFramesTest : public ::testing::Test {
 protected:
  absl::StatusOr<SampledFrames> Sample(const SampleRequest& request) {
    std::ifstream file("tests/golden/media/video/h264.mp4", std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    return SampleFrames(bytes, {}, request, preprocessor_, {});
  }

  const ImagePreprocessor preprocessor_ = *ImagePreprocessor::FromJson(
      R"({"size": {"height": 8, "width": 16}, "do_normalize": false})");
};

TEST_F(SampleFramesTest, FramesOfTheModelsSizeInTheOrderAskedFor) {
  const auto uniform = Sample({.count = 3});
  ASSERT_TRUE(uniform.ok()) << uniform.status();
  // The centres are 0.2, 0.6 and 1 s, of frames 40 ms long.
  EXPECT_THAT(uniform->times_us, ElementsAre(200'000, 600'000, 1'000'000));
  const size_t frame = 16 * 8 * 3;
  ASSERT_EQ(uniform->pixels.size(), 3 * frame);

  const auto timed = Sample({.times_us = {1'010'000, 230'000, 200'000}});
  ASSERT_TRUE(timed.ok()) << timed.status();
  EXPECT_THAT(timed->times_us, ElementsAre(1'000'000, 200'000, 200'000));
  const auto begin = uniform->pixels.begin();
  EXPECT_TRUE(std::equal(timed->pixels.begin(), timed->pixels.begin() + frame, begin + 2 * frame));
  EXPECT_TRUE(std::equal(timed->pixels.begin() + frame, timed->pixels.begin() + 2 * frame, begin));
  EXPECT_TRUE(std::equal(timed->pixels.begin() + 2 * frame, timed->pixels.end(), begin));
}

TEST_F(SampleFramesTest, TimesOutsideTheRangeAreRefused) {
  const TimeRange range{.start_us = 100'000, .end_us = 300'000};
  EXPECT_TRUE(Sample({.range = range, .times_us = {100'000, 299'999}}).ok());
  for (const int64_t time : {99'999, 300'000, -1}) {
    EXPECT_EQ(base::Reason(Sample({.range = range, .times_us = {time}}).status()),
              base::kReasonVideoRange);
  }
}

}  // namespace
}  // namespace terminus::media::video
