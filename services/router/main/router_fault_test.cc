// Replicas that come, go and misbehave.

#include <gmock/gmock.h>

#include "common/base/errors.h"
#include "services/router/main/router_fixture.h"

namespace terminus::services::router {
namespace {

using testing::FakeEncoder;
using ::testing::SizeIs;

class RouterFaultTest : public RouterTest {};

TEST_F(RouterFaultTest, KilledReplicasItemsGoToAnother) {
  config_.text_replicas.push_back(Address("text-1"));
  FakeEncoder first(Address("text-0"), {.open = false});
  FakeEncoder second(Address("text-1"), {.open = false});
  StartServing();
  Eventually([&] {
    const auto status = Status();
    return status.replicas(0).state() == v1::REPLICA_STATE_READY &&
           status.replicas(1).state() == v1::REPLICA_STATE_READY;
  });
  auto one = Begin(Texts({"one"}));
  auto two = Begin(Texts({"two"}));
  first.WaitForBatches(1);
  second.WaitForBatches(1);
  second.Open();
  first.Kill();
  EXPECT_TRUE(one->Wait().status.ok());
  EXPECT_TRUE(two->Wait().status.ok());
  EXPECT_THAT(second.seen(), SizeIs(2));
  EXPECT_TRUE(Embed(Texts({"three"})).status.ok());
}

TEST_F(RouterFaultTest, TheOnlyReplicaComesBackInTime) {
  auto text = std::make_unique<FakeEncoder>(Address("text-0"), FakeEncoder::Options{.open = false});
  StartServing();
  auto call = Begin(Texts({"a"}));
  text->WaitForBatches(1);
  text.reset();
  FakeEncoder again(Address("text-0"), {});
  EXPECT_TRUE(call->Wait().status.ok());
}

TEST_F(RouterFaultTest, ItemLostTwiceEndsTheCallUnavailable) {
  config_.text_replicas.push_back(Address("text-1"));
  FakeEncoder first(Address("text-0"), {.open = false});
  FakeEncoder second(Address("text-1"), {.open = false});
  StartServing();
  auto call = Begin(Texts({"a"}));
  const grpc::Status gone(grpc::StatusCode::UNAVAILABLE, "gone");
  // Whichever of the two has it.
  std::thread other([&] { second.Fail(gone); });
  first.Fail(gone);
  other.join();
  const absl::Status status = call->Wait().status;
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(base::Reason(status), base::kReasonReplicaLost);
  EXPECT_NE(base::RetryDelay(status), absl::nullopt);
}

TEST_F(RouterFaultTest, WrongNumberOfResultsFailsTheItems) {
  FakeEncoder text(Address("text-0"), {.results_off_by = -1});
  StartServing();
  const Answer answer = Embed(Texts({"a", "b"}));
  ASSERT_TRUE(answer.status.ok());
  EXPECT_EQ(rpc::FromProto(answer.response.results(1).status()).code(),
            absl::StatusCode::kInternal);
}

TEST_F(RouterFaultTest, AnotherSpaceIsRefused) {
  config_.vision_replicas = {Address("vision-0")};
  FakeEncoder text(Address("text-0"), {});
  {
    FakeEncoder wrong(Address("vision-0"), {.modality = v1::MODALITY_IMAGE, .space_id = "other"});
    StartRouter();
    Eventually([&] { return Status().replicas(1).state() == v1::REPLICA_STATE_REFUSED; });
    EXPECT_THAT(Status().replicas(1).detail(), ::testing::HasSubstr("other"));
    EXPECT_FALSE(Status().ready());
  }
  FakeEncoder right(Address("vision-0"), {.modality = v1::MODALITY_IMAGE});
  WaitForHealth(discovery::Event::kServing);
  EXPECT_TRUE(Status().ready());
}

TEST_F(RouterFaultTest, LoadingReplicaIsWaitedFor) {
  FakeEncoder text(Address("text-0"), {.loading = true});
  StartRouter();
  Eventually([&] { return Status().replicas(0).state() == v1::REPLICA_STATE_LOADING; });
  const absl::Status early = Embed(Texts({"a"})).status;
  EXPECT_EQ(base::Reason(early), base::kReasonNoReplica);
  EXPECT_NE(base::RetryDelay(early), absl::nullopt);
  text.Load();
  WaitForHealth(discovery::Event::kServing);
  EXPECT_TRUE(Embed(Texts({"a"})).status.ok());
  text.SetServing(false);
  WaitForHealth(discovery::Event::kNotServing);
}

TEST_F(RouterFaultTest, ShutdownLetsCallsInFlightEnd) {
  FakeEncoder text(Address("text-0"), {.open = false});
  StartServing();
  auto call = Begin(Texts({"a"}));
  text.WaitForBatches(1);
  std::thread shutdown;
  WaitForHealth(discovery::Event::kNotServing,
                [&] { shutdown = std::thread([&] { router_->Shutdown(); }); });
  text.Open();
  EXPECT_TRUE(call->Wait().status.ok());
  shutdown.join();
}

}  // namespace
}  // namespace terminus::services::router
