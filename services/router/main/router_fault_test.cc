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

// Whatever happens to the replicas and the callers, every call ends, with a code that says what
// happened, and nothing stays behind.
TEST_F(RouterFaultTest, NothingIsLostInTheTurmoil) {
  config_.text_replicas.push_back(Address("text-1"));
  const FakeEncoder::Options options = {.max_in_flight = 2};
  FakeEncoder steady(Address("text-0"), options);
  auto killed = std::make_unique<FakeEncoder>(Address("text-1"), options);
  StartServing();
  std::vector<std::unique_ptr<Pending>> calls;
  for (int i = 0; i < 600; ++i) {
    calls.push_back(Begin(Texts({"a", "bad", "c"})));
    if (i % 7 == 0) calls[i / 2]->context.TryCancel();
    if (i % 200 == 100) killed.reset();
    if (i % 200 == 150) killed = std::make_unique<FakeEncoder>(Address("text-1"), options);
  }
  std::map<absl::StatusCode, int> codes;
  for (auto& call : calls) {
    const Answer answer = call->Wait();
    ++codes[answer.status.code()];
    if (answer.status.ok()) {
      EXPECT_THAT(answer.response.results(), SizeIs(3));
      EXPECT_EQ(answer.response.results(0).status().code(), 0);
    }
  }
  for (const auto& [code, count] : codes) {
    EXPECT_TRUE(code == absl::StatusCode::kOk || code == absl::StatusCode::kCancelled ||
                code == absl::StatusCode::kUnavailable)
        << absl::StatusCodeToString(code) << " " << count;
  }
  EXPECT_GT(codes[absl::StatusCode::kOk], 400);
  Eventually([&] { return Status().admitted_items() == 0; });
  Eventually([&] { return Status().replicas(0).outstanding_batches() == 0; });
  EXPECT_EQ(Queue().queued_items(), 0u);
}

}  // namespace
}  // namespace terminus::services::router
