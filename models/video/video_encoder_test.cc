#include "models/video/video_encoder.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace terminus::models::video {
namespace {

using executor::Embeddings;
using executor::ImageBatch;
using executor::VideoBatch;
using testing::ElementsAre;
using testing::FloatNear;

// A frame's vector is its first pixel's red and green.
class FakeTower : public executor::Encoder<ImageBatch> {
 public:
  explicit FakeTower(int* calls) : calls_(calls) {}

  absl::StatusOr<Embeddings> Encode(const ImageBatch& batch) override {
    ++*calls_;
    Embeddings out{.count = batch.count, .dimension = 2};
    for (int i = 0; i < batch.count; ++i) {
      out.values.push_back(batch.pixels.at(i * 3));
      out.values.push_back(batch.pixels.at(i * 3 + 1));
    }
    return out;
  }
  int dimension() const override { return 2; }

 private:
  int* const calls_;
};

class VideoEncoderTest : public testing::Test {
 protected:
  // Frames of one pixel.
  static VideoBatch Clips(const std::vector<std::vector<std::pair<uint8_t, uint8_t>>>& clips) {
    VideoBatch batch{.frames = {.height = 1, .width = 1}, .offsets = {0}};
    for (const auto& clip : clips) {
      for (const auto& [red, green] : clip) {
        batch.frames.pixels.insert(batch.frames.pixels.end(), {red, green, 0});
        ++batch.frames.count;
      }
      batch.offsets.push_back(batch.frames.count);
    }
    return batch;
  }

  int calls_ = 0;
  VideoEncoder encoder_{std::make_unique<FakeTower>(&calls_), Pooling::kMean};
};

TEST_F(VideoEncoderTest, MeanOfUnitVectorsInOnePassOverAllFrames) {
  VideoBatch batch = Clips({{{3, 4}}, {{200, 0}, {0, 1}, {0, 7}, {5, 0}}});
  const auto vectors = encoder_.Encode(batch);
  ASSERT_TRUE(vectors.ok()) << vectors.status();
  EXPECT_EQ(calls_, 1);
  EXPECT_EQ(vectors->count, 2);
  EXPECT_THAT(vectors->values, ElementsAre(FloatNear(0.6f, 1e-6f), FloatNear(0.8f, 1e-6f),
                                           FloatNear(0.5f, 1e-6f), FloatNear(0.5f, 1e-6f)));
  EXPECT_TRUE(vectors->frame_values.empty());

  batch.per_frame = true;
  EXPECT_THAT(encoder_.Encode(batch)->frame_values, ElementsAre(3, 4, 200, 0, 0, 1, 0, 7, 5, 0));
}

TEST_F(VideoEncoderTest, NothingSeenIsZerosAndNotNan) {
  EXPECT_THAT(encoder_.Encode(Clips({{{0, 0}, {0, 0}}}))->values, ElementsAre(0, 0));
  EXPECT_EQ(encoder_.Encode(Clips({}))->count, 0);
}

TEST_F(VideoEncoderTest, OffsetsMustDivideTheFrames) {
  const VideoBatch good = Clips({{{1, 2}, {3, 4}}, {{5, 6}}});
  for (const std::vector<int>& offsets : std::vector<std::vector<int>>{
           {}, {0}, {1, 3}, {0, 2}, {0, 2, 4}, {0, 2, 2, 3}, {0, 2, 1, 3}}) {
    VideoBatch batch = good;
    batch.offsets = offsets;
    EXPECT_EQ(encoder_.Encode(batch).status().code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(calls_, 0);
}

}  // namespace
}  // namespace terminus::models::video
