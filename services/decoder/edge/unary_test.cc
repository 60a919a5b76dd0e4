#include <gmock/gmock.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include "common/base/errors.h"
#include "common/base/version.h"
#include "common/rpc/channel.h"
#include "common/rpc/status.h"
#include "common/tensor/tensor.h"
#include "services/decoder/testing/service_fixture.h"

namespace terminus::services::decoder::edge {
namespace {

using ::testing::ElementsAre;

using UnaryTest = decoder::testing::ServiceFixture;

TEST_F(UnaryTest, DescribesItself) {
  Start({});
  grpc::ClientContext context;
  v1::DecoderDescribeResponse response;
  ASSERT_TRUE(stub_->Describe(&context, {}, &response).ok());
  EXPECT_EQ(response.protocol(), kDecoderProtocol);
  EXPECT_EQ(response.version(), kVersion);
  EXPECT_EQ(response.model(), "toy");
  EXPECT_EQ(response.space_id(), "space");
  EXPECT_EQ(response.dimension(), 2u);
  EXPECT_TRUE(response.generates());
  EXPECT_EQ(response.max_context(), 256u);
  EXPECT_EQ(response.max_sequences(), 8u);
  EXPECT_EQ(response.max_requests(), 256u);
  EXPECT_EQ(response.device(), "cpu");
  EXPECT_EQ(response.dtype(), "float32");
}

// Else the model could not be kept busy by those that wait.
TEST_F(UnaryTest, TakesTwiceAsManyRequestsAsAreDecodedTogether) {
  const auto max_requests = [this] {
    grpc::ClientContext context;
    v1::DecoderDescribeResponse response;
    EXPECT_TRUE(stub_->Describe(&context, {}, &response).ok());
    return response.max_requests();
  };
  Setup setup;
  setup.limits = {.max_sequences = 512, .token_budget = 1024};
  Start(setup);
  EXPECT_EQ(max_requests(), 1024u);
  setup.service.max_requests = 24;
  Start(setup);
  EXPECT_EQ(max_requests(), 24u);
}

TEST_F(UnaryTest, TokenizesAndBack) {
  Start({});
  v1::TokenizeRequest request;
  request.set_text("ab");
  request.set_add_special_tokens(true);
  v1::TokenizeResponse tokens;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(stub_->Tokenize(&context, request, &tokens).ok());
  }
  EXPECT_THAT(tokens.token_ids(), ElementsAre('a', 'b', decoder::testing::ByteCodec::kEos));
  v1::DetokenizeRequest back;
  back.mutable_token_ids()->CopyFrom(tokens.token_ids());
  back.set_skip_special_tokens(true);
  v1::DetokenizeResponse text;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(stub_->Detokenize(&context, back, &text).ok());
  }
  EXPECT_EQ(text.text(), "ab");
}

TEST_F(UnaryTest, BadTokensAndTextsNameTheField) {
  Setup setup;
  setup.service.max_text_bytes = 10;
  Start(setup);
  v1::DetokenizeRequest back;
  back.add_token_ids(5);
  back.add_token_ids(4'000'000'000u);
  v1::DetokenizeResponse text;
  grpc::ClientContext first;
  absl::Status status = rpc::FromGrpc(stub_->Detokenize(&first, back, &text));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(base::Field(status), "token_ids[1]");

  v1::TokenizeRequest request;
  request.set_text("more than ten bytes");
  v1::TokenizeResponse tokens;
  grpc::ClientContext second;
  status = rpc::FromGrpc(stub_->Tokenize(&second, request, &tokens));
  EXPECT_EQ(base::Reason(status), "TEXT_TOO_LONG");
  EXPECT_EQ(base::Field(status), "text");

  request.set_text("short");
  request.set_model("other");
  grpc::ClientContext third;
  EXPECT_EQ(stub_->Tokenize(&third, request, &tokens).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(UnaryTest, ScoresAndRecognizes) {
  Start({});
  v1::DecoderScoreRequest score;
  const v1::Tensor right = tensor::FromFloats({1, 0});
  *score.mutable_query() = right;
  *score.mutable_candidates() = right;
  v1::ScoreResponse scores;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(stub_->Score(&context, score, &scores).ok());
  }
  EXPECT_FLOAT_EQ(scores.scores(0).cosine(), 1);

  v1::DecoderRecognizeRequest recognize;
  *recognize.mutable_frames() = right;
  recognize.add_frame_us(0);
  *recognize.mutable_label_vectors() = right;
  recognize.add_labels("right");
  v1::RecognizeResponse actions;
  grpc::ClientContext context;
  ASSERT_TRUE(stub_->Recognize(&context, recognize, &actions).ok());
  EXPECT_FLOAT_EQ(actions.actions(0).score(), 1);
  EXPECT_EQ(Value("terminus_decoder_calls_total{code=\"OK\",method=\"Recognize\"}"), 1);
}

class WithoutModelTest : public UnaryTest {
 protected:
  void SetUp() override {
    service_ = std::make_unique<DecoderService>(ServiceOptions{}, edge_metrics_);
    auto server = rpc::Server::Start({.listen = {"127.0.0.1:0"}}, {service_.get()});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    stub_ = v1::Decoder::NewStub(rpc::MakeChannel(server_->addresses()[0], 64 << 20));
  }

  absl::Status Describe(v1::DecoderDescribeResponse& response) {
    grpc::ClientContext context;
    return rpc::FromGrpc(stub_->Describe(&context, {}, &response));
  }
};

TEST_F(WithoutModelTest, UnavailableUntilTheBundleIsServed) {
  v1::DecoderDescribeResponse response;
  EXPECT_EQ(Describe(response).code(), absl::StatusCode::kUnavailable);
  const absl::Status status = Generate(Ask("x", 1)).status;
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(base::RetryDelay(status).has_value());
}

TEST_F(WithoutModelTest, ABundleWithoutALanguageModelScoresOnly) {
  service_->Serve(std::make_unique<ServedBundle>(
      ServedBundle{.name = "vectors", .space_id = "s", .dimension = 2, .device = "cpu"}));
  v1::DecoderDescribeResponse response;
  ASSERT_TRUE(Describe(response).ok());
  EXPECT_FALSE(response.generates());
  EXPECT_EQ(response.max_context(), 0u);
  const absl::Status status = Generate(Ask("x", 1)).status;
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(base::Reason(status), "NO_LANGUAGE_MODEL");
  v1::DecoderScoreRequest score;
  *score.mutable_query() = tensor::FromFloats({1, 0});
  *score.mutable_candidates() = tensor::FromFloats({1, 0});
  v1::ScoreResponse scores;
  grpc::ClientContext context;
  EXPECT_TRUE(stub_->Score(&context, score, &scores).ok());
}

}  // namespace
}  // namespace terminus::services::decoder::edge
