#include <gmock/gmock.h>

#include <cmath>

#include "common/base/errors.h"
#include "common/tensor/tensor.h"
#include "services/router/main/router_fixture.h"

namespace terminus::services::router {
namespace {

using ::testing::ElementsAre;
using testing::FakeEncoder;
using ::testing::SizeIs;

TEST_F(RouterTest, ItemsInVectorsOut) {
  FakeEncoder text(Address("text-0"), {});
  StartServing();
  v1::EmbedRequest request = Texts({"abc", "", "bad text", "abcdefg"});
  *request.add_items()->mutable_embedding() = tensor::FromFloats({3, 4, 0, 0});
  const Answer answer = Begin(request, absl::Seconds(30), "my-id")->Wait();
  ASSERT_TRUE(answer.status.ok()) << answer.status;
  const auto& results = answer.response.results();
  ASSERT_THAT(results, SizeIs(5));
  EXPECT_EQ(answer.response.space_id(), "space");
  const auto first = *tensor::ToFloats(results[0].vector());
  EXPECT_NEAR(first[0], 3 / std::sqrt(12.0), 1e-6);
  EXPECT_NEAR(first[1], 1 / std::sqrt(12.0), 1e-6);
  EXPECT_EQ(results[0].cost().tokens(), 3u);
  EXPECT_THAT(results[0].content_hash(), SizeIs(32));
  EXPECT_EQ(base::Reason(rpc::FromProto(results[1].status())), base::kReasonEmptyItem);
  EXPECT_EQ(base::Field(rpc::FromProto(results[1].status())), "items[1].text");
  EXPECT_EQ(base::Reason(rpc::FromProto(results[2].status())), base::kReasonTextTooLong);
  EXPECT_EQ(base::Field(rpc::FromProto(results[2].status())), "items[2].text");
  EXPECT_THAT(results[2].content_hash(), SizeIs(32));
  EXPECT_EQ(results[3].status().code(), 0);
  EXPECT_THAT(*tensor::ToFloats(results[4].vector()), ElementsAre(0.6f, 0.8f, 0, 0));

  EXPECT_EQ(answer.trailers.find("x-request-id")->second, "my-id");
  EXPECT_EQ(answer.trailers.find("terminus-preprocess-ms")->second, "1.500");
  EXPECT_EQ(answer.trailers.find("terminus-compute-ms")->second, "2.500");
  EXPECT_EQ(answer.trailers.count("terminus-queue-ms"), 1u);
  EXPECT_EQ(text.seen()[0].request_id, "my-id");
  EXPECT_EQ(Status().admitted_items(), 0u);
}

TEST_F(RouterTest, EachKindGoesToItsService) {
  config_.vision_replicas = {Address("vision-0")};
  config_.video_replicas = {Address("video-0")};
  config_.video_batching.max_batch_cost = 20;
  FakeEncoder text(Address("text-0"), {});
  FakeEncoder vision(Address("vision-0"), {.modality = v1::MODALITY_IMAGE});
  FakeEncoder video(Address("video-0"), {.modality = v1::MODALITY_VIDEO, .open = false});
  StartServing();
  EXPECT_THAT(Status().replicas(), SizeIs(3));
  // Two of 8 frames, one of 5: no two batches hold more than 20 frames, the first goes at once.
  v1::EmbedRequest request = Texts({"a text"});
  for (const int frames : {0, 0, 5}) {
    request.add_items()->mutable_video()->set_data("GIF89a of some length");
    if (frames > 0) request.mutable_items()->rbegin()->mutable_video()->set_frames(frames);
  }
  request.add_items()->mutable_video()->set_data("not a video");
  auto call = Begin(request);
  video.WaitForBatches(1);
  grpc::ClientContext context;
  v1::ExplainBatchingResponse queues;
  ASSERT_TRUE(cluster_->ExplainBatching(&context, {}, &queues).ok());
  EXPECT_EQ(queues.queues(2).modality(), v1::MODALITY_VIDEO);
  EXPECT_EQ(queues.queues(2).cost_unit(), "frames");
  video.Open();
  const Answer answer = call->Wait();
  ASSERT_TRUE(answer.status.ok()) << answer.status;
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(answer.response.results(i).status().code(), 0) << i;
  }
  EXPECT_EQ(base::Reason(rpc::FromProto(answer.response.results(4).status())),
            base::kReasonUnsupportedFormat);
  EXPECT_NE(answer.response.results(1).content_hash(), answer.response.results(3).content_hash());
  const auto seen = video.seen();
  ASSERT_THAT(seen, SizeIs(2));
  EXPECT_EQ(seen[0].items.size() + seen[1].items.size(), 3u);
  EXPECT_THAT(text.seen(), SizeIs(1));
  EXPECT_THAT(vision.seen(), SizeIs(0));
}

TEST_F(RouterTest, CallsThatWaitBecomeFewBatches) {
  FakeEncoder text(Address("text-0"), {.open = false});
  StartServing();
  std::vector<std::unique_ptr<Pending>> calls;
  for (int i = 0; i < 64; ++i) {
    calls.push_back(Begin(Texts({"text " + std::to_string(i)})));
  }
  text.WaitForBatches(1);
  Eventually([&] { return Queue().queued_items() == 63; });
  text.Open();
  for (auto& call : calls) {
    EXPECT_EQ(call->Wait().response.results(0).status().code(), 0);
  }
  const auto seen = text.seen();
  ASSERT_THAT(seen, SizeIs(2));
  EXPECT_THAT(seen[0].items, SizeIs(1));
  EXPECT_THAT(seen[1].items, SizeIs(63));
}

TEST_F(RouterTest, DeadlineInTheQueue) {
  FakeEncoder text(Address("text-0"), {.open = false});
  StartServing();
  auto held = Begin(Texts({"held"}));
  text.WaitForBatches(1);
  const Answer late = Begin(Texts({"late"}), absl::Milliseconds(50))->Wait();
  EXPECT_EQ(late.status.code(), absl::StatusCode::kDeadlineExceeded);
  text.Open();
  EXPECT_TRUE(held->Wait().status.ok());
  Eventually([&] { return Status().admitted_items() == 0; });
  EXPECT_THAT(text.seen(), SizeIs(1));
}

TEST_F(RouterTest, ClientThatLeavesTakesItsWorkAlong) {
  FakeEncoder text(Address("text-0"), {.open = false});
  StartServing();
  auto held = Begin(Texts({"held"}));
  text.WaitForBatches(1);
  auto queued = Begin(Texts({"a", "b", "c"}));
  Eventually([&] { return Queue().queued_items() == 3; });
  queued->context.TryCancel();
  EXPECT_EQ(queued->Wait().status.code(), absl::StatusCode::kCancelled);
  Eventually([&] { return Queue().cancelled() == 3; });
  held->context.TryCancel();
  text.WaitForCancels(1);
  held->Wait();
  Eventually([&] { return Status().admitted_items() == 0; });
  Eventually([&] { return Status().replicas(0).outstanding_batches() == 0; });
  EXPECT_THAT(text.seen(), SizeIs(1));
}

TEST_F(RouterTest, OverloadIsRefusedAtTheDoor) {
  config_.admission.max_items = 4;
  FakeEncoder text(Address("text-0"), {.open = false});
  StartServing();
  auto inside = Begin(Texts({"a", "b", "c"}));
  text.WaitForBatches(1);
  const absl::Status refused = Embed(Texts({"d", "e"})).status;
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(base::Reason(refused), base::kReasonOverloaded);
  EXPECT_EQ(base::RetryDelay(refused), config_.admission.retry_delay);
  text.Open();
  EXPECT_TRUE(inside->Wait().status.ok());
  EXPECT_TRUE(Embed(Texts({"d", "e"})).status.ok());
}

TEST_F(RouterTest, RequestFaultsAreTheCalls) {
  FakeEncoder text(Address("text-0"), {});
  StartServing();
  EXPECT_EQ(base::Field(Embed({}).status), "items");
  v1::EmbedRequest unknown = Texts({"a"});
  unknown.set_model("nonesuch");
  EXPECT_EQ(Embed(unknown).status.code(), absl::StatusCode::kNotFound);
  // Vision is not configured.
  v1::EmbedRequest image;
  image.add_items()->set_image(
      std::string("\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x01\0\0\0\x01"
                  "\x08\x02\0\0\0\0\0\0\0",
                  33));
  const Answer answer = Embed(image);
  ASSERT_TRUE(answer.status.ok());
  EXPECT_EQ(base::Reason(rpc::FromProto(answer.response.results(0).status())),
            base::kReasonUnsupportedModality);
}

}  // namespace
}  // namespace terminus::services::router
