// EmbedStream through a whole router.

#include <gmock/gmock.h>

#include "common/base/errors.h"
#include "services/router/main/router_fixture.h"

namespace terminus::services::router {
namespace {

using testing::FakeEncoder;
using ::testing::Le;
using ::testing::SizeIs;

class RouterStreamTest : public RouterTest {
 protected:
  // One stream, spoken to from the test's thread.
  struct Stream {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReaderWriter<v1::EmbedStreamRequest, v1::EmbedStreamResponse>> call;

    void Write(uint64_t id, const std::string& text) {
      v1::EmbedStreamRequest request;
      request.set_correlation_id(id);
      request.mutable_item()->set_text(text);
      EXPECT_TRUE(call->Write(request));
    }

    // All answers by correlation id, until the router ends the stream.
    std::map<uint64_t, v1::EmbedStreamResponse> ReadAll() {
      std::map<uint64_t, v1::EmbedStreamResponse> answers;
      v1::EmbedStreamResponse answer;
      while (call->Read(&answer)) {
        EXPECT_TRUE(answers.emplace(answer.correlation_id(), answer).second);
      }
      return answers;
    }
  };

  std::unique_ptr<Stream> Open() {
    auto stream = std::make_unique<Stream>();
    stream->context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(30)));
    stream->call = embedding_->EmbedStream(&stream->context);
    return stream;
  }
};

TEST_F(RouterStreamTest, EachItemIsAnsweredByItsId) {
  FakeEncoder text(Address("text-0"), {});
  StartServing();
  auto stream = Open();
  for (uint64_t i = 0; i < 300; ++i) {
    stream->Write(i, i % 10 == 0 ? "" : i % 10 == 1 ? "bad" : "text");
  }
  stream->call->WritesDone();
  const auto answers = stream->ReadAll();
  EXPECT_TRUE(stream->call->Finish().ok());
  ASSERT_THAT(answers, SizeIs(300));
  for (const auto& [id, answer] : answers) {
    const absl::Status status = rpc::FromProto(answer.result().status());
    if (id % 10 == 0) {
      EXPECT_EQ(base::Reason(status), base::kReasonEmptyItem);
    } else if (id % 10 == 1) {
      EXPECT_EQ(base::Field(status), "item.text");
    } else {
      EXPECT_TRUE(status.ok()) << status;
      EXPECT_EQ(answer.space_id(), "space");
    }
  }
  EXPECT_EQ(Status().admitted_items(), 0u);
}

TEST_F(RouterStreamTest, NothingIsReadPastTheLimitInFlight) {
  config_.limits.max_stream_in_flight = 4;
  FakeEncoder text(Address("text-0"), {.open = false});
  StartServing();
  auto stream = Open();
  for (uint64_t i = 0; i < 20; ++i) stream->Write(i, "text");
  stream->call->WritesDone();
  Eventually([&] { return Queue().queued_items() == 3; });
  EXPECT_EQ(Status().admitted_items(), 4u);
  text.Open();
  EXPECT_THAT(stream->ReadAll(), SizeIs(20));
  EXPECT_TRUE(stream->call->Finish().ok());
  for (const auto& batch : text.seen()) {
    EXPECT_THAT(batch.items, SizeIs(Le(4u)));
  }
}

TEST_F(RouterStreamTest, WaitsForItsOwnItemsToMakeRoom) {
  config_.admission.max_items = 2;
  FakeEncoder text(Address("text-0"), {});
  StartServing();
  auto stream = Open();
  for (uint64_t i = 0; i < 20; ++i) stream->Write(i, "text");
  stream->call->WritesDone();
  for (const auto& [id, answer] : stream->ReadAll()) {
    EXPECT_EQ(answer.result().status().code(), 0) << id;
  }
  EXPECT_TRUE(stream->call->Finish().ok());
}

TEST_F(RouterStreamTest, ItemIsRefusedWhenOthersTakeAllRoom) {
  config_.admission.max_items = 2;
  FakeEncoder text(Address("text-0"), {.open = false});
  StartServing();
  auto other = Begin(Texts({"a", "b"}));
  text.WaitForBatches(1);
  auto stream = Open();
  stream->Write(1, "text");
  v1::EmbedStreamResponse answer;
  ASSERT_TRUE(stream->call->Read(&answer));
  const absl::Status refused = rpc::FromProto(answer.result().status());
  EXPECT_EQ(base::Reason(refused), base::kReasonOverloaded);
  EXPECT_NE(base::RetryDelay(refused), absl::nullopt);
  text.Open();
  EXPECT_TRUE(other->Wait().status.ok());
  stream->call->WritesDone();
  stream->ReadAll();
  EXPECT_TRUE(stream->call->Finish().ok());
}

TEST_F(RouterStreamTest, FaultOfTheFirstMessageEndsTheStream) {
  FakeEncoder text(Address("text-0"), {});
  StartServing();
  auto stream = Open();
  v1::EmbedStreamRequest request;
  request.set_model("nonesuch");
  stream->call->Write(request);
  EXPECT_THAT(stream->ReadAll(), SizeIs(0));
  EXPECT_EQ(base::Reason(rpc::FromGrpc(stream->call->Finish())), base::kReasonUnknownModel);
}

TEST_F(RouterStreamTest, EmptyStream) {
  FakeEncoder text(Address("text-0"), {});
  StartServing();
  auto stream = Open();
  stream->call->WritesDone();
  EXPECT_THAT(stream->ReadAll(), SizeIs(0));
  EXPECT_TRUE(stream->call->Finish().ok());
}

TEST_F(RouterStreamTest, ClientThatLeavesTakesItsItemsAlong) {
  config_.limits.max_stream_in_flight = 4;
  FakeEncoder text(Address("text-0"), {.open = false});
  StartServing();
  auto stream = Open();
  for (uint64_t i = 0; i < 10; ++i) stream->Write(i, "text");
  text.WaitForBatches(1);
  Eventually([&] { return Queue().queued_items() == 3; });
  stream->context.TryCancel();
  EXPECT_EQ(stream->call->Finish().error_code(), grpc::StatusCode::CANCELLED);
  text.WaitForCancels(1);
  Eventually([&] { return Status().admitted_items() == 0; });
  EXPECT_EQ(Queue().cancelled(), 3u);
  EXPECT_THAT(text.seen(), SizeIs(1));
}

}  // namespace
}  // namespace terminus::services::router
