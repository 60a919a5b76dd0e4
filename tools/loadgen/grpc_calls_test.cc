#include "tools/loadgen/grpc_calls.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "terminus/v1/embedding.grpc.pb.h"

namespace terminus::tools::loadgen {
namespace {

// Item i of a call fails when its text says so; a call whose model is "gone" fails as a whole.
class FakeEmbedding : public v1::Embedding::Service {
 public:
  grpc::Status Embed(grpc::ServerContext*, const v1::EmbedRequest* request,
                     v1::EmbedResponse* response) override {
    if (request->model() == "gone") {
      return {grpc::StatusCode::NOT_FOUND, "no such model"};
    }
    for (const v1::Content& item : request->items()) {
      response->add_results()->mutable_status()->set_code(
          item.text() == "bad" ? grpc::StatusCode::INVALID_ARGUMENT : grpc::StatusCode::OK);
    }
    return grpc::Status::OK;
  }
};

class GrpcCallsTest : public testing::Test {
 protected:
  GrpcCallsTest() {
    grpc::ServerBuilder builder;
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
  }

  absl::StatusOr<LoadReport> Run(std::vector<v1::EmbedRequest> requests) {
    GrpcCalls calls{.channels = {server_->InProcessChannel({})},
                    .method = "/terminus.v1.Embedding/Embed",
                    .count_items = CountEmbedItems};
    for (const v1::EmbedRequest& request : requests) {
      calls.requests.push_back(request.SerializeAsString());
    }
    return RunClosedLoop(
        {.clients = 4, .warmup = absl::ZeroDuration(), .duration = absl::Milliseconds(100)},
        MakeStartCall(std::move(calls)));
  }

  FakeEmbedding service_;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(GrpcCallsTest, CountsCallsAndItems) {
  v1::EmbedRequest request;
  request.add_items()->set_text("good");
  request.add_items()->set_text("bad");
  request.add_items()->set_text("good");
  auto report = Run({request});
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_GT(report->calls_ok, 0);
  EXPECT_EQ(report->items_ok, 2 * report->calls_ok);
  EXPECT_EQ(report->item_errors[absl::StatusCode::kInvalidArgument], report->calls_ok);
  EXPECT_TRUE(report->call_errors.empty());
}

TEST_F(GrpcCallsTest, TakesRequestsInTurn) {
  v1::EmbedRequest good;
  good.add_items()->set_text("good");
  v1::EmbedRequest gone;
  gone.set_model("gone");
  auto report = Run({good, gone});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_GT(report->calls_ok, 0);
  EXPECT_NEAR(report->calls_ok, report->call_errors[absl::StatusCode::kNotFound], 4);
}

TEST(CountItemsTest, AnswerThatDoesNotParseIsAnError) {
  const grpc::Slice slice(std::string("\xff\xff\xff\xff"));
  CallOutcome outcome;
  CountEncodeItems(grpc::ByteBuffer(&slice, 1), outcome);
  EXPECT_EQ(outcome.code, absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace terminus::tools::loadgen
