// Models that have work for some of the cluster's services only.

#include <gmock/gmock.h>

#include "common/base/errors.h"
#include "services/router/main/router_fixture.h"
#include "services/router/testing/fake_decoder.h"
#include "terminus/v1/action.grpc.pb.h"
#include "terminus/v1/generation.grpc.pb.h"
#include "terminus/v1/retrieval.grpc.pb.h"

namespace terminus::services::router {
namespace {

using ::testing::ElementsAre;
using testing::FakeDecoder;
using testing::FakeEncoder;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RouterPartsTest : public RouterTest {
 protected:
  void StartAll() {
    StartServing();
    retrieval_ = v1::Retrieval::NewStub(channel_);
    generation_ = v1::Generation::NewStub(channel_);
    action_ = v1::Action::NewStub(channel_);
  }

  static void SetDeadline(grpc::ClientContext& context) {
    context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(30)));
  }

  absl::Status Load(const std::string& path) {
    grpc::ClientContext context;
    SetDeadline(context);
    v1::LoadModelRequest request;
    request.set_path(path);
    loaded_.Clear();
    return rpc::FromGrpc(cluster_->LoadModel(&context, request, &loaded_));
  }

  absl::Status Tokenize() {
    grpc::ClientContext context;
    SetDeadline(context);
    v1::TokenizeRequest request;
    request.set_text("AB");
    v1::TokenizeResponse response;
    return rpc::FromGrpc(generation_->Tokenize(&context, request, &response));
  }

  absl::Status Generate() {
    grpc::ClientContext context;
    SetDeadline(context);
    v1::GenerateRequest request;
    request.add_messages()->add_parts()->set_text("count");
    auto reader = generation_->Generate(&context, request);
    v1::GenerateResponse message;
    while (reader->Read(&message)) {
    }
    return rpc::FromGrpc(reader->Finish());
  }

  absl::Status Score() {
    grpc::ClientContext context;
    SetDeadline(context);
    v1::ScoreRequest request;
    request.mutable_query()->set_text("query");
    request.add_candidates()->set_text("candidate");
    v1::ScoreResponse response;
    return rpc::FromGrpc(retrieval_->Score(&context, request, &response));
  }

  absl::Status Recognize() {
    grpc::ClientContext context;
    SetDeadline(context);
    v1::RecognizeRequest request;
    request.mutable_video()->set_data("x");
    request.add_labels("run");
    v1::RecognizeResponse response;
    return rpc::FromGrpc(action_->Recognize(&context, request, &response));
  }

  // The status of a stream of one item: the call's own if that is not OK.
  absl::Status EmbedInStream() {
    grpc::ClientContext context;
    SetDeadline(context);
    auto stream = embedding_->EmbedStream(&context);
    v1::EmbedStreamRequest request;
    request.mutable_item()->set_text("text");
    stream->Write(request);
    stream->WritesDone();
    v1::EmbedStreamResponse response;
    absl::Status item;
    while (stream->Read(&response)) {
      item = rpc::FromProto(response.result().status());
    }
    const absl::Status call = rpc::FromGrpc(stream->Finish());
    return call.ok() ? item : call;
  }

  v1::ModelInfo Model() {
    grpc::ClientContext context;
    v1::ListModelsResponse response;
    EXPECT_TRUE(cluster_->ListModels(&context, {}, &response).ok());
    EXPECT_EQ(response.models_size(), 1);
    return response.models_size() > 0 ? response.models(0) : v1::ModelInfo();
  }

  // {service: idle} of all replicas.
  std::map<std::string, bool> Idle() {
    std::map<std::string, bool> idle;
    const v1::GetStatusResponse status = Status();
    for (const v1::ReplicaStatus& replica : status.replicas()) {
      EXPECT_EQ(replica.state(), v1::REPLICA_STATE_READY) << replica.detail();
      idle[replica.service()] = replica.idle();
    }
    return idle;
  }

  // What a language model alone answers to each kind of call.
  void ExpectALanguageModelAlone() {
    EXPECT_TRUE(Generate().ok()) << Generate();
    EXPECT_TRUE(Tokenize().ok()) << Tokenize();
    for (const absl::Status& status :
         {Embed(Texts({"text"})).status, EmbedInStream(), Score(), Recognize()}) {
      EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
      EXPECT_EQ(base::Reason(status), base::kReasonNoEncoder) << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr("makes no vectors"));
    }
  }

  v1::LoadModelResponse loaded_;
  std::unique_ptr<v1::Retrieval::Stub> retrieval_;
  std::unique_ptr<v1::Generation::Stub> generation_;
  std::unique_ptr<v1::Action::Stub> action_;
};

TEST_F(RouterPartsTest, ADecoderAloneServesALanguageModel) {
  config_.text_replicas.clear();
  config_.decoder_replicas = {Address("decoder-0")};
  FakeDecoder decoder(Address("decoder-0"), {.space_id = "language"});
  StartAll();
  ExpectALanguageModelAlone();
  const v1::ModelInfo model = Model();
  EXPECT_EQ(model.name(), "fake");
  EXPECT_EQ(model.space_id(), "language");
  EXPECT_EQ(model.dimension(), 0u);
  EXPECT_TRUE(model.generates());
  EXPECT_THAT(model.modalities(), IsEmpty());
  v1::EmbedRequest unknown = Texts({"text"});
  unknown.set_model("other");
  EXPECT_EQ(base::Reason(Embed(unknown).status), base::kReasonUnknownModel);
}

TEST_F(RouterPartsTest, IdleEncodersBesideALanguageModelAreReady) {
  config_.vision_replicas = {Address("vision-0")};
  config_.decoder_replicas = {Address("decoder-0")};
  FakeEncoder text(Address("text-0"), {.space_id = ""});
  FakeEncoder vision(Address("vision-0"), {.modality = v1::MODALITY_IMAGE, .space_id = ""});
  FakeDecoder decoder(Address("decoder-0"), {.space_id = "language"});
  StartAll();
  ExpectALanguageModelAlone();
  EXPECT_THAT(Model().modalities(), IsEmpty());
  EXPECT_EQ(Idle(),
            (std::map<std::string, bool>{{"text", true}, {"vision", true}, {"decoder", false}}));
  EXPECT_THAT(registry_.Scrape(), HasSubstr("terminus_router_replicas_idle{service=\"vision\"} 1"));
}

TEST_F(RouterPartsTest, WhatABundleHasNoPartForIsRefusedByItem) {
  config_.vision_replicas = {Address("vision-0")};
  FakeEncoder text(Address("text-0"), {});
  FakeEncoder vision(Address("vision-0"), {.modality = v1::MODALITY_IMAGE, .space_id = ""});
  StartAll();
  EXPECT_THAT(Model().modalities(), ElementsAre(v1::MODALITY_TEXT));
  v1::EmbedRequest request = Texts({"text"});
  // Whatever is in it: no image is taken.
  request.add_items()->set_image("not an image");
  request.add_items()->mutable_video()->set_data("not a video");
  const Answer answer = Embed(request);
  ASSERT_TRUE(answer.status.ok()) << answer.status;
  EXPECT_EQ(answer.response.results(0).status().code(), 0);
  const absl::Status image = rpc::FromProto(answer.response.results(1).status());
  EXPECT_EQ(base::Reason(image), base::kReasonUnsupportedModality);
  EXPECT_EQ(image.message(), "items[1].image: the served model 'fake' takes no image");
  const absl::Status video = rpc::FromProto(answer.response.results(2).status());
  EXPECT_EQ(base::Reason(video), base::kReasonUnsupportedModality);
  EXPECT_EQ(video.message(), "items[2].video: this cluster runs no video service");
}

TEST_F(RouterPartsTest, AnIdleReplicaDoesNotSpeakForThoseThatLoad) {
  config_.vision_replicas = {Address("vision-0")};
  FakeEncoder text(Address("text-0"), {.loading = true});
  FakeEncoder vision(Address("vision-0"), {.modality = v1::MODALITY_IMAGE, .space_id = ""});
  StartRouter();
  Eventually([&] { return Status().replicas(1).state() == v1::REPLICA_STATE_READY; });
  EXPECT_EQ(Embed(Texts({"text"})).status.code(), absl::StatusCode::kUnavailable);
  text.Load();
  Eventually([&] { return Status().ready(); });
  EXPECT_TRUE(Embed(Texts({"text"})).status.ok());
}

TEST_F(RouterPartsTest, AClusterOfIdleReplicasIsReadyAndServesNothing) {
  FakeEncoder text(Address("text-0"), {.space_id = ""});
  StartAll();
  const absl::Status status = Embed(Texts({"text"})).status;
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(base::Reason(status), base::kReasonUnknownModel);
  ASSERT_TRUE(Load("/models/new").ok());
  EXPECT_TRUE(Embed(Texts({"text"})).status.ok());
}

TEST_F(RouterPartsTest, FromEncodersToALanguageModelAndBack) {
  config_.decoder_replicas = {Address("decoder-0")};
  FakeEncoder text(Address("text-0"), {.open = false});
  FakeDecoder decoder(Address("decoder-0"), {});
  StartAll();
  auto inside = Begin(Texts({"inside"}));
  text.WaitForBatches(1);
  std::thread loading([&] { EXPECT_TRUE(Load("/models/language").ok()); });
  Eventually([&] { return Model().space_id() == "language"; });
  EXPECT_EQ(base::Reason(Embed(Texts({"later"})).status), base::kReasonNoEncoder);
  text.Open();
  EXPECT_EQ(inside->Wait().response.space_id(), "space");
  loading.join();
  EXPECT_EQ(loaded_.model().name(), "fake");
  EXPECT_TRUE(loaded_.model().generates());
  EXPECT_EQ(text.space(), "");
  ExpectALanguageModelAlone();
  EXPECT_TRUE(Status().ready());

  ASSERT_TRUE(Load("/models/new").ok());
  EXPECT_EQ(Embed(Texts({"text"})).response.space_id(), "new");
  EXPECT_TRUE(Generate().ok());
  EXPECT_TRUE(Score().ok());
}

TEST_F(RouterPartsTest, AStreamThatMeetsALanguageModelIsToldByItem) {
  config_.decoder_replicas = {Address("decoder-0")};
  FakeEncoder text(Address("text-0"), {});
  FakeDecoder decoder(Address("decoder-0"), {});
  StartAll();
  grpc::ClientContext context;
  SetDeadline(context);
  auto stream = embedding_->EmbedStream(&context);
  const auto next = [&] {
    v1::EmbedStreamRequest request;
    request.mutable_item()->set_text("text");
    v1::EmbedStreamResponse response;
    EXPECT_TRUE(stream->Write(request) && stream->Read(&response));
    return rpc::FromProto(response.result().status());
  };
  EXPECT_TRUE(next().ok());
  ASSERT_TRUE(Load("/models/language").ok());
  EXPECT_EQ(base::Reason(next()), base::kReasonNoEncoder);
  ASSERT_TRUE(Load("/models/new").ok());
  EXPECT_TRUE(next().ok());
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(RouterPartsTest, AFolderForOtherServicesIsRefused) {
  FakeEncoder text(Address("text-0"), {});
  StartAll();
  const absl::Status refused = Load("/models/language");
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(base::Reason(refused), base::kReasonNotInBundle);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("text"));
  EXPECT_TRUE(Embed(Texts({"text"})).status.ok());
}

TEST_F(RouterPartsTest, ADecoderWithoutALanguageModelIsNothingToServe) {
  config_.text_replicas.clear();
  config_.decoder_replicas = {Address("decoder-0")};
  FakeDecoder decoder(Address("decoder-0"), {.space_id = "language"});
  StartAll();
  EXPECT_EQ(base::Reason(Load("/models/encoders")), base::kReasonNotInBundle);
  ExpectALanguageModelAlone();
}

TEST_F(RouterPartsTest, AReplicaThatComesBackIdleIsGivenTheModel) {
  config_.decoder_replicas = {Address("decoder-0")};
  const FakeEncoder::Options idle = {.space_id = ""};
  auto text = std::make_unique<FakeEncoder>(Address("text-0"), idle);
  FakeDecoder decoder(Address("decoder-0"), {.space_id = "language"});
  StartAll();
  ASSERT_TRUE(Load("/models/new").ok());
  EXPECT_EQ(text->space(), "new");
  EXPECT_EQ(Embed(Texts({"text"})).response.space_id(), "new");
  // It is restarted with the folder that its config names, which has nothing for it.
  text.reset();
  text = std::make_unique<FakeEncoder>(Address("text-0"), idle);
  Eventually([&] { return text->space() == "new"; });
  Eventually([&] { return Status().ready(); });
  EXPECT_EQ(Embed(Texts({"text"})).response.space_id(), "new");
}

}  // namespace
}  // namespace terminus::services::router
