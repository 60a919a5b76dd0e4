// The model of a running cluster is changed.

#include <gmock/gmock.h>

#include "common/base/errors.h"
#include "services/router/main/router_fixture.h"

namespace terminus::services::router {
namespace {

using ::testing::ElementsAre;
using testing::FakeEncoder;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class RouterLoadTest : public RouterTest {
 protected:
  struct Change {
    grpc::ClientContext context;
    v1::LoadModelRequest request;
    v1::LoadModelResponse response;
    std::promise<grpc::Status> status;
    absl::Status Wait() { return rpc::FromGrpc(status.get_future().get()); }
  };

  std::unique_ptr<Change> BeginLoad(const std::string& path, const std::string& name = "") {
    auto change = std::make_unique<Change>();
    change->request.set_path(path);
    change->request.set_name(name);
    change->context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(30)));
    cluster_->async()->LoadModel(
        &change->context, &change->request, &change->response,
        [c = change.get()](const grpc::Status& status) { c->status.set_value(status); });
    return change;
  }

  absl::Status Load(const std::string& path, const std::string& name = "") {
    return BeginLoad(path, name)->Wait();
  }

  absl::Status Unload(const std::string& name) {
    grpc::ClientContext context;
    v1::UnloadModelRequest request;
    request.set_name(name);
    v1::UnloadModelResponse response;
    return rpc::FromGrpc(cluster_->UnloadModel(&context, request, &response));
  }

  std::vector<v1::ModelInfo> Models() {
    grpc::ClientContext context;
    v1::ListModelsResponse response;
    EXPECT_TRUE(cluster_->ListModels(&context, {}, &response).ok());
    return {response.models().begin(), response.models().end()};
  }

  // The space of a one-text call, or the reason why there is none.
  std::string SpaceOf(const std::string& model = "") {
    v1::EmbedRequest request = Texts({"text"});
    request.set_model(model);
    const Answer answer = Embed(request);
    if (!answer.status.ok()) return base::Reason(answer.status);
    EXPECT_EQ(answer.response.results(0).status().code(), 0);
    return answer.response.space_id();
  }
};

TEST_F(RouterLoadTest, CallsInsideEndOnTheOldModelLaterOnesTakeTheNew) {
  config_.text_replicas = {Address("text-0"), Address("text-1")};
  FakeEncoder first(Address("text-0"), {.open = false});
  FakeEncoder second(Address("text-1"), {.open = false});
  StartServing();
  Eventually([&] {
    const auto status = Status();
    return status.replicas(0).state() == v1::REPLICA_STATE_READY &&
           status.replicas(1).state() == v1::REPLICA_STATE_READY;
  });
  // Two at the replicas, one that waits in the router.
  std::vector<std::unique_ptr<Pending>> old;
  for (int i = 0; i < 3; ++i) old.push_back(Begin(Texts({"old"})));
  first.WaitForBatches(1);
  second.WaitForBatches(1);
  Eventually([&] { return Queue().queued_items() == 1; });
  auto change = BeginLoad("/models/new", "name");
  Eventually([&] { return !Models().empty() && Models()[0].space_id() == "new"; });
  auto later = Begin(Texts({"later"}));
  Eventually([&] { return Queue().queued_items() == 2; });
  first.Open();
  second.Open();
  for (auto& call : old) {
    const Answer answer = call->Wait();
    EXPECT_TRUE(answer.status.ok()) << answer.status;
    EXPECT_EQ(answer.response.space_id(), "space");
  }
  EXPECT_EQ(later->Wait().response.space_id(), "new");
  const absl::Status changed = change->Wait();
  ASSERT_TRUE(changed.ok()) << changed;
  EXPECT_EQ(change->response.model().name(), "name");
  EXPECT_EQ(change->response.model().space_id(), "new");
  ASSERT_THAT(change->response.replicas(), SizeIs(2));
  EXPECT_EQ(change->response.replicas(0).outcome(), v1::LOAD_OUTCOME_LOADED);
  EXPECT_EQ(SpaceOf("name"), "new");
  EXPECT_EQ(SpaceOf("fake"), base::kReasonUnknownModel);
  for (const FakeEncoder* encoder : {&first, &second}) {
    for (const FakeEncoder::Seen& seen : encoder->seen()) {
      for (const std::string& item : seen.items) {
        EXPECT_EQ(seen.space_id, item == "old" ? "space" : "new") << item;
      }
    }
  }
}

TEST_F(RouterLoadTest, OneThatFailsLeavesAllOnTheOldModel) {
  config_.vision_replicas = {Address("vision-0")};
  FakeEncoder text(Address("text-0"), {});
  FakeEncoder vision(Address("vision-0"), {.modality = v1::MODALITY_IMAGE});
  StartServing();
  const absl::Status failed = Load("/models/refused");
  EXPECT_EQ(failed.code(), absl::StatusCode::kInvalidArgument);
  for (const char* said : {"'fake' stays", "text at", "a.weight", "b.weight", "vision at"}) {
    EXPECT_THAT(std::string(failed.message()), HasSubstr(said));
  }
  EXPECT_EQ(text.space(), "space");
  EXPECT_EQ(vision.space(), "space");
  EXPECT_EQ(SpaceOf(), "space");
  EXPECT_TRUE(Load("/models/new").ok()) << "nothing of it is left";
}

TEST_F(RouterLoadTest, OneAtATimeAndWhoLeavesChangesNothing) {
  FakeEncoder text(Address("text-0"), {});
  StartServing();
  text.HoldStage(true);
  auto first = BeginLoad("/models/new");
  text.WaitForStages(1);
  const absl::Status second = Load("/models/other");
  EXPECT_EQ(second.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(base::Reason(second), base::kReasonLoadUnderWay);
  EXPECT_EQ(Unload("fake").code(), absl::StatusCode::kAborted);
  first->context.TryCancel();
  EXPECT_EQ(first->Wait().code(), absl::StatusCode::kCancelled);
  text.HoldStage(false);
  Eventually([&] { return Load("/models/third").ok(); });
  EXPECT_EQ(SpaceOf(), "third");
}

TEST_F(RouterLoadTest, UnloadAndLoadAgain) {
  FakeEncoder text(Address("text-0"), {.open = false});
  StartServing();
  auto inside = Begin(Texts({"inside"}));
  text.WaitForBatches(1);
  EXPECT_EQ(Unload("other").code(), absl::StatusCode::kNotFound);
  std::promise<absl::Status> unloaded;
  std::thread unloading([&] { unloaded.set_value(Unload("fake")); });
  Eventually([&] { return Models().empty(); });
  EXPECT_EQ(SpaceOf(), base::kReasonUnknownModel);
  EXPECT_EQ(text.space(), "space") << "a call is inside";
  text.Open();
  EXPECT_EQ(inside->Wait().response.space_id(), "space");
  EXPECT_TRUE(unloaded.get_future().get().ok());
  unloading.join();
  EXPECT_EQ(text.space(), "");
  EXPECT_TRUE(Status().ready()) << "the replicas are there";
  ASSERT_TRUE(Load("/models/space").ok());
  EXPECT_EQ(SpaceOf("fake"), "space");
}

TEST_F(RouterLoadTest, AStreamGoesOverToTheNewModel) {
  FakeEncoder text(Address("text-0"), {});
  StartServing();
  grpc::ClientContext context;
  auto stream = embedding_->EmbedStream(&context);
  const auto space_of_next = [&] {
    v1::EmbedStreamRequest request;
    request.mutable_item()->set_text("text");
    v1::EmbedStreamResponse response;
    EXPECT_TRUE(stream->Write(request) && stream->Read(&response));
    EXPECT_EQ(response.result().status().code(), 0);
    return response.space_id();
  };
  EXPECT_EQ(space_of_next(), "space");
  // The stream rests and holds nothing up.
  ASSERT_TRUE(Load("/models/new").ok());
  EXPECT_EQ(space_of_next(), "new");
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(RouterLoadTest, AServiceThatTheBundleHasNothingForIsIdle) {
  config_.vision_replicas = {Address("vision-0")};
  FakeEncoder text(Address("text-0"), {});
  FakeEncoder vision(Address("vision-0"), {.modality = v1::MODALITY_IMAGE});
  StartServing();
  EXPECT_EQ(Load("/models/nothing").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(text.space(), "space");
  EXPECT_THAT(Models()[0].modalities(), SizeIs(2));
}

TEST_F(RouterLoadTest, AReplicaThatComesBackWithTheOldModelIsGivenTheNew) {
  auto text = std::make_unique<FakeEncoder>(Address("text-0"), FakeEncoder::Options{});
  StartServing();
  ASSERT_TRUE(Load("/models/new", "name").ok());
  text.reset();
  text = std::make_unique<FakeEncoder>(Address("text-0"), FakeEncoder::Options{});
  Eventually([&] { return text->space() == "new"; });
  Eventually([&] { return Status().ready(); });
  EXPECT_EQ(SpaceOf("name"), "new");
}

TEST_F(RouterLoadTest, WhatIsAskedForIsChecked) {
  FakeEncoder text(Address("text-0"), {});
  StartServing();
  EXPECT_EQ(base::Field(Load("")), "path");
  EXPECT_EQ(base::Field(Load("models/new")), "path");
  EXPECT_EQ(base::Field(Load("/" + std::string(4096, 'x'))), "path");
  EXPECT_EQ(base::Field(Load("/models/new", "a\nb")), "name");
  EXPECT_EQ(base::Field(Load("/models/new", std::string(257, 'x'))), "name");
}

TEST_F(RouterLoadTest, OffMeansOff) {
  config_.model_loading = "off";
  FakeEncoder text(Address("text-0"), {});
  StartServing();
  EXPECT_EQ(Load("/models/new").code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(Unload("fake").code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(SpaceOf(), "space");
}

}  // namespace
}  // namespace terminus::services::router
