// Calls that end at the decoder, through a whole router.

#include <gmock/gmock.h>

#include "common/base/errors.h"
#include "services/router/main/router_fixture.h"
#include "services/router/testing/fake_decoder.h"
#include "terminus/v1/generation.grpc.pb.h"
#include "terminus/v1/retrieval.grpc.pb.h"

namespace terminus::services::router {
namespace {

using ::testing::ElementsAre;
using testing::FakeDecoder;
using testing::FakeEncoder;
using ::testing::HasSubstr;

class RouterDecoderTest : public RouterTest {
 protected:
  RouterDecoderTest() { config_.decoder_replicas = {Address("decoder-0")}; }

  void StartAll() {
    StartServing();
    retrieval_ = v1::Retrieval::NewStub(channel_);
    generation_ = v1::Generation::NewStub(channel_);
    action_ = v1::Action::NewStub(channel_);
  }

  static void SetDeadline(grpc::ClientContext& context) {
    context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(30)));
  }

  absl::Status Score(const std::vector<std::string>& candidates, v1::ScoreResponse* response) {
    grpc::ClientContext context;
    SetDeadline(context);
    v1::ScoreRequest request;
    request.mutable_query()->set_text("query");
    for (const std::string& text : candidates) request.add_candidates()->set_text(text);
    return rpc::FromGrpc(retrieval_->Score(&context, request, response));
  }

  // Text of the whole stream, or how it ended.
  absl::StatusOr<std::string> Generate() {
    grpc::ClientContext context;
    SetDeadline(context);
    auto reader = generation_->Generate(&context, Prompt());
    std::string text;
    v1::GenerateResponse message;
    while (reader->Read(&message)) text += message.delta().text();
    const absl::Status status = rpc::FromGrpc(reader->Finish());
    if (!status.ok()) return status;
    return text;
  }

  static v1::GenerateRequest Prompt() {
    v1::GenerateRequest request;
    v1::Message* message = request.add_messages();
    message->set_role(v1::ROLE_USER);
    message->add_parts()->set_text("count");
    return request;
  }

  std::unique_ptr<v1::Retrieval::Stub> retrieval_;
  std::unique_ptr<v1::Generation::Stub> generation_;
  std::unique_ptr<v1::Action::Stub> action_;
};

TEST_F(RouterDecoderTest, ScoresInOrderAndRanked) {
  FakeEncoder text(Address("text-0"), {});
  FakeDecoder decoder(Address("decoder-0"), {});
  StartAll();
  v1::ScoreResponse response;
  ASSERT_TRUE(Score({"ab", "abcd", "abc"}, &response).ok());
  ASSERT_EQ(response.scores_size(), 3);
  EXPECT_EQ(response.scores(1).score(), 4);
  EXPECT_THAT(response.ranking(), ElementsAre(1, 2, 0));
  EXPECT_EQ(response.content_hashes_size(), 3);
  EXPECT_EQ(response.query_hash().size(), 32);
}

TEST_F(RouterDecoderTest, ABrokenCandidateFailsAloneAndKeepsItsPlace) {
  FakeEncoder text(Address("text-0"), {});
  FakeDecoder decoder(Address("decoder-0"), {});
  StartAll();
  v1::ScoreResponse response;
  ASSERT_TRUE(Score({"ab", "bad", "", "abc"}, &response).ok());
  EXPECT_THAT(response.ranking(), ElementsAre(3, 0));
  EXPECT_EQ(response.scores(1).status().code(),
            static_cast<int>(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(response.scores(1).status().message(), HasSubstr("candidates[1].text"));
  EXPECT_THAT(response.scores(2).status().message(), HasSubstr("candidates[2].text"));
  EXPECT_EQ(response.scores(3).index(), 3);
  EXPECT_EQ(response.scores(3).score(), 3);
}

TEST_F(RouterDecoderTest, NothingToScoreAsksNoDecoder) {
  FakeEncoder text(Address("text-0"), {});
  FakeDecoder decoder(Address("decoder-0"), {});
  StartAll();
  v1::ScoreResponse response;
  ASSERT_TRUE(Score({"bad"}, &response).ok());
  EXPECT_EQ(response.ranking_size(), 0);
  EXPECT_EQ(decoder.scores(), 0);
  const absl::Status none = Score({}, &response);
  EXPECT_EQ(none.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(base::Field(none), "candidates");
}

TEST_F(RouterDecoderTest, WhatWasEncodedIsNotEncodedAgain) {
  FakeEncoder text(Address("text-0"), {});
  FakeDecoder decoder(Address("decoder-0"), {});
  StartAll();
  v1::ScoreResponse response;
  ASSERT_TRUE(Score({"ab", "abcd"}, &response).ok());
  const size_t batches = text.seen().size();
  ASSERT_TRUE(Score({"abcd", "ab"}, &response).ok());
  EXPECT_EQ(text.seen().size(), batches);
  EXPECT_THAT(response.ranking(), ElementsAre(0, 1));
}

TEST_F(RouterDecoderTest, StreamsWhatTheDecoderSays) {
  FakeEncoder text(Address("text-0"), {});
  FakeDecoder decoder(Address("decoder-0"), {});
  StartAll();
  const auto answer = Generate();
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(*answer, "one two three");
}

TEST_F(RouterDecoderTest, ClientThatLeavesCancelsTheDecoder) {
  FakeEncoder text(Address("text-0"), {});
  FakeDecoder decoder(Address("decoder-0"), {.words_before_silence = 1});
  StartAll();
  grpc::ClientContext context;
  SetDeadline(context);
  auto reader = generation_->Generate(&context, Prompt());
  v1::GenerateResponse message;
  ASSERT_TRUE(reader->Read(&message));
  context.TryCancel();
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  decoder.WaitForCancel();
}

TEST_F(RouterDecoderTest, LostDecoderEndsItsStreamsUnavailable) {
  FakeEncoder text(Address("text-0"), {});
  FakeDecoder decoder(Address("decoder-0"), {.words_before_silence = 1});
  StartAll();
  grpc::ClientContext context;
  SetDeadline(context);
  auto reader = generation_->Generate(&context, Prompt());
  v1::GenerateResponse message;
  ASSERT_TRUE(reader->Read(&message));
  decoder.Kill();
  while (reader->Read(&message)) {
  }
  const absl::Status status = rpc::FromGrpc(reader->Finish());
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
}

TEST_F(RouterDecoderTest, ImagesInAPromptAreRefusedByName) {
  FakeEncoder text(Address("text-0"), {});
  FakeDecoder decoder(Address("decoder-0"), {});
  StartAll();
  grpc::ClientContext context;
  SetDeadline(context);
  v1::GenerateRequest request = Prompt();
  request.mutable_messages(0)->add_parts()->set_image("x");
  auto reader = generation_->Generate(&context, request);
  v1::GenerateResponse message;
  EXPECT_FALSE(reader->Read(&message));
  const absl::Status status = rpc::FromGrpc(reader->Finish());
  EXPECT_EQ(base::Field(status), "messages[0].parts[1]");
  EXPECT_EQ(base::Reason(status), base::kReasonUnsupportedModality);
}

TEST_F(RouterDecoderTest, RepeatedLabelsAreRefused) {
  FakeEncoder text(Address("text-0"), {});
  FakeDecoder decoder(Address("decoder-0"), {});
  StartAll();
  grpc::ClientContext context;
  SetDeadline(context);
  v1::RecognizeRequest request;
  v1::RecognizeResponse response;
  request.mutable_video()->set_data("x");
  for (const char* label : {"run", "walk", "run"}) request.add_labels(label);
  const absl::Status status = rpc::FromGrpc(action_->Recognize(&context, request, &response));
  EXPECT_EQ(base::Field(status), "labels[2]");
  EXPECT_THAT(std::string(status.message()), HasSubstr("labels[0]"));
}

TEST_F(RouterDecoderTest, AnEmptyLabelIsRefused) {
  FakeEncoder text(Address("text-0"), {});
  FakeDecoder decoder(Address("decoder-0"), {});
  StartAll();
  grpc::ClientContext context;
  SetDeadline(context);
  v1::RecognizeRequest request;
  v1::RecognizeResponse response;
  request.mutable_video()->set_data("x");
  for (const char* label : {"run", ""}) request.add_labels(label);
  const absl::Status status = rpc::FromGrpc(action_->Recognize(&context, request, &response));
  EXPECT_EQ(base::Field(status), "labels[1]");
  EXPECT_EQ(base::Reason(status), base::kReasonEmptyItem);
}

TEST_F(RouterDecoderTest, TokenizesWithTheDecodersTokenizer) {
  FakeEncoder text(Address("text-0"), {});
  FakeDecoder decoder(Address("decoder-0"), {});
  StartAll();
  grpc::ClientContext context;
  SetDeadline(context);
  v1::TokenizeRequest request;
  v1::TokenizeResponse response;
  request.set_text("AB");
  ASSERT_TRUE(generation_->Tokenize(&context, request, &response).ok());
  EXPECT_THAT(response.token_ids(), ElementsAre(65, 66));
}

TEST_F(RouterDecoderTest, WithoutADecoderTheyAreUnimplemented) {
  config_.decoder_replicas.clear();
  FakeEncoder text(Address("text-0"), {});
  StartAll();
  v1::ScoreResponse response;
  EXPECT_EQ(Score({"a"}, &response).code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(Generate().status().code(), absl::StatusCode::kUnimplemented);
}

TEST_F(RouterDecoderTest, ADecoderOfAnotherSpaceIsRefused) {
  FakeEncoder text(Address("text-0"), {});
  FakeDecoder decoder(Address("decoder-0"), {.space_id = "other"});
  StartRouter();
  Eventually([&] {
    const v1::GetStatusResponse status = Status();
    for (const v1::ReplicaStatus& replica : status.replicas()) {
      if (replica.service() == "decoder" && replica.state() == v1::REPLICA_STATE_REFUSED) {
        return true;
      }
    }
    return false;
  });
}

}  // namespace
}  // namespace terminus::services::router
