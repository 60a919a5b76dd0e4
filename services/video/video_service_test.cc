// The video service whole, but for the weights: over gRPC, with an image tower that sees colours.

#include <gmock/gmock.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "common/base/errors.h"
#include "common/rpc/channel.h"
#include "common/rpc/server.h"
#include "common/serving/encoder_service.h"
#include "common/tensor/tensor.h"
#include "models/video/video_encoder.h"
#include "services/video/video_frontend.h"

namespace terminus::services::video {
namespace {

using executor::VideoBatch;
using ::testing::ElementsAre;

// A frame's vector is its mean red, green and blue.
class ColourTower : public executor::Encoder<executor::ImageBatch> {
 public:
  absl::StatusOr<executor::Embeddings> Encode(const executor::ImageBatch& batch) override {
    executor::Embeddings out{.count = batch.count, .dimension = 3};
    const size_t pixels = static_cast<size_t>(batch.height) * batch.width;
    for (size_t i = 0; i < static_cast<size_t>(batch.count); ++i) {
      for (size_t c = 0; c < 3; ++c) {
        float sum = 0;
        for (size_t p = 0; p < pixels; ++p) sum += batch.pixels[(i * pixels + p) * 3 + c];
        out.values.push_back(sum / static_cast<float>(pixels));
      }
    }
    return out;
  }
  int dimension() const override { return 3; }
};

class VideoServiceTest : public testing::Test {
 protected:
  VideoServiceTest() {
    auto model = std::make_shared<serving::ServedModel<VideoBatch>>();
    model->info = {.name = "colours",
                   .modality = v1::MODALITY_VIDEO,
                   .space_id = "s",
                   .default_frames = 3,
                   .device = "cpu"};
    auto preprocessor = media::ImagePreprocessor::FromJson(
        R"({"size": {"height": 8, "width": 8}, "do_normalize": false})");
    EXPECT_TRUE(preprocessor.ok()) << preprocessor.status();
    model->frontend = std::make_unique<VideoFrontend>(*preprocessor, 3, config::Limits());
    model->executor = std::make_unique<executor::Executor<VideoBatch>>(
        "test",
        std::make_unique<models::video::VideoEncoder>(std::make_unique<ColourTower>(),
                                                      models::video::Pooling::kMean),
        1);
    service_.Serve(std::move(model));
    server_ = rpc::Server::Start({.listen = {"127.0.0.1:0"}}, {&service_}).value();
    stub_ = v1::Encoder::NewStub(rpc::MakeChannel(server_->addresses()[0], 64 << 20));
  }

  v1::EncodeBatchResponse Encode(const v1::EncodeBatchRequest& request) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(30)));
    v1::EncodeBatchResponse response;
    const grpc::Status status = stub_->EncodeBatch(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  static v1::EncodeItem Clip(const std::string& name) {
    std::ifstream file("tests/golden/media/video/" + name, std::ios::binary);
    EXPECT_TRUE(file.good()) << name;
    v1::EncodeItem item;
    item.mutable_content()->mutable_video()->set_data(
        std::string(std::istreambuf_iterator<char>(file), {}));
    return item;
  }

  metrics::Registry registry_{"test"};
  serving::ServingMetrics metrics_{registry_};
  serving::EncoderService<VideoBatch> service_{2, "", metrics_};
  std::unique_ptr<rpc::Server> server_;
  std::unique_ptr<v1::Encoder::Stub> stub_;
};

TEST_F(VideoServiceTest, DescribesItself) {
  grpc::ClientContext context;
  v1::DescribeResponse description;
  ASSERT_TRUE(stub_->Describe(&context, {}, &description).ok());
  EXPECT_EQ(description.modality(), v1::MODALITY_VIDEO);
  EXPECT_EQ(description.default_frames(), 3u);
}

TEST_F(VideoServiceTest, VectorsOfClipsAndOfTheirFrames) {
  v1::EncodeBatchRequest request;
  *request.add_items() = Clip("h264.mp4");
  *request.add_items() = Clip("vfr.mp4");
  request.mutable_items(1)->set_per_frame(true);
  request.mutable_items(1)->mutable_content()->mutable_video()->set_frames(4);
  const auto response = Encode(request);
  ASSERT_EQ(response.results_size(), 2);
  for (const auto& result : response.results()) ASSERT_EQ(result.status().code(), 0);
  EXPECT_EQ(response.results(0).cost().frames(), 3u);
  EXPECT_FALSE(response.results(0).has_frames());
  const v1::EncodeResult& timed = response.results(1);
  EXPECT_EQ(timed.cost().frames(), 4u);
  EXPECT_THAT(timed.frames().shape(), ElementsAre(4, 3));
  // Ten frames that begin every 40 ms, then twenty more from 0.88 s on: 1.68 s, and the centres of
  // its quarters are 0.21, 0.63, 1.05 and 1.47 s.
  EXPECT_THAT(timed.frame_us(), ElementsAre(200'000, 360'000, 1'040'000, 1'440'000));
  // The clip's vector is the mean of its frames', each of length 1.
  const auto frames = *tensor::ToFloats(timed.frames());
  const auto vector = *tensor::ToFloats(timed.vector());
  double sum = 0;
  for (size_t i = 0; i < 4; ++i) {
    const float* frame = &frames[i * 3];
    sum += frame[0] / std::hypot(frame[0], frame[1], frame[2]);
  }
  EXPECT_NEAR(vector[0], sum / 4, 1e-5);
}

TEST_F(VideoServiceTest, WhatVideosAreLike) {
  v1::EncodeBatchRequest request;
  // Of one frame; odd sides; turned; beginning at 3 s.
  for (const char* name : {"still.gif", "odd.mp4", "turned90.mp4", "open_gop.mkv"}) {
    *request.add_items() = Clip(name);
    request.mutable_items()->rbegin()->set_per_frame(true);
  }
  const auto response = Encode(request);
  ASSERT_EQ(response.results_size(), 4);
  for (const auto& result : response.results()) {
    ASSERT_EQ(result.status().code(), 0) << result.status().message();
  }
  EXPECT_THAT(response.results(0).frame_us(), ElementsAre(0, 0, 0));
  for (int i = 1; i < 4; ++i) {
    EXPECT_THAT(response.results(i).frame_us(), ElementsAre(200'000, 600'000, 1'000'000));
  }
}

TEST_F(VideoServiceTest, BatchOfBadVideosIsAnswered) {
  v1::EncodeBatchRequest request;
  *request.add_items() = Clip("sound.mp4");
  request.add_items()->mutable_content()->mutable_video();
  const auto response = Encode(request);
  ASSERT_EQ(response.results_size(), 2);
  EXPECT_EQ(base::Reason(rpc::FromProto(response.results(0).status())), base::kReasonVideoNoStream);
  EXPECT_EQ(base::Reason(rpc::FromProto(response.results(1).status())), base::kReasonEmptyItem);
}

}  // namespace
}  // namespace terminus::services::video
