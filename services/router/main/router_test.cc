#include "services/router/main/router.h"

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <future>

#include "common/base/errors.h"
#include "common/rpc/channel.h"
#include "common/rpc/status.h"
#include "common/tensor/tensor.h"
#include "services/router/discovery/health_watch.h"
#include "services/router/testing/fake_encoder.h"

namespace terminus::services::router {
namespace {

using ::testing::ElementsAre;
using testing::FakeEncoder;
using ::testing::SizeIs;

// A router between clients and fake encoders, over real sockets.
class RouterTest : public ::testing::Test {
 protected:
  RouterTest() {
    std::string pattern = ::testing::TempDir() + "/router-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    config_.listen = {Address("router")};
    config_.text_replicas = {Address("text-0")};
    config_.health.interval = absl::Milliseconds(20);
  }
  ~RouterTest() override {
    router_.reset();
    std::filesystem::remove_all(folder_);
  }

  std::string Address(const std::string& name) const {
    return "unix:" + folder_ + "/" + name + ".sock";
  }

  // Starts the router and waits until its health says SERVING.
  void StartRouter() {
    auto router = Router::Start(config_, registry_, "");
    ASSERT_TRUE(router.ok()) << router.status();
    router_ = *std::move(router);
    channel_ = rpc::MakeChannel(config_.listen[0], 128 << 20);
    embedding_ = v1::Embedding::NewStub(channel_);
    cluster_ = v1::Cluster::NewStub(channel_);
    WaitForHealth(discovery::Event::kServing);
  }

  // `meanwhile` is called once the watch is established.
  void WaitForHealth(
      discovery::Event wanted, const std::function<void()>& meanwhile = [] {}) {
    auto begun = std::make_shared<std::promise<void>>();
    auto seen = std::make_shared<std::promise<void>>();
    auto done = std::make_shared<std::promise<void>>();
    auto watch = discovery::HealthWatch::Start(
        channel_,
        [=, first = true, told = false](discovery::Event event, const std::string&) mutable {
          if (std::exchange(first, false)) begun->set_value();
          if (event == wanted && !std::exchange(told, true)) seen->set_value();
          if (event == discovery::Event::kLost) done->set_value();
        });
    begun->get_future().wait();
    meanwhile();
    EXPECT_EQ(seen->get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
    watch->Cancel();
    done->get_future().wait();
  }

  static v1::EmbedRequest Texts(const std::vector<std::string>& texts) {
    v1::EmbedRequest request;
    for (const std::string& text : texts) {
      request.add_items()->set_text(text);
    }
    return request;
  }

  struct Answer {
    absl::Status status;
    v1::EmbedResponse response;
    std::multimap<std::string, std::string> trailers;
  };

  // A call under way on a thread of gRPC's.
  struct Pending {
    grpc::ClientContext context;
    v1::EmbedRequest request;
    v1::EmbedResponse response;
    std::promise<grpc::Status> status;

    Answer Wait() {
      Answer answer;
      answer.status = rpc::FromGrpc(status.get_future().get());
      answer.response = std::move(response);
      for (const auto& [key, value] : context.GetServerTrailingMetadata()) {
        answer.trailers.emplace(std::string(key.data(), key.size()),
                                std::string(value.data(), value.size()));
      }
      return answer;
    }
  };

  std::unique_ptr<Pending> Begin(v1::EmbedRequest request,
                                 absl::Duration timeout = absl::Seconds(30),
                                 const std::string& request_id = "") {
    auto pending = std::make_unique<Pending>();
    pending->request = std::move(request);
    pending->context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
    if (!request_id.empty()) pending->context.AddMetadata("x-request-id", request_id);
    embedding_->async()->Embed(
        &pending->context, &pending->request, &pending->response,
        [p = pending.get()](const grpc::Status& status) { p->status.set_value(status); });
    return pending;
  }

  Answer Embed(v1::EmbedRequest request) { return Begin(std::move(request))->Wait(); }

  v1::GetStatusResponse Status() {
    grpc::ClientContext context;
    v1::GetStatusResponse response;
    EXPECT_TRUE(cluster_->GetStatus(&context, {}, &response).ok());
    return response;
  }

  v1::QueueStatus Queue() {
    grpc::ClientContext context;
    v1::ExplainBatchingResponse response;
    EXPECT_TRUE(cluster_->ExplainBatching(&context, {}, &response).ok());
    return response.queues(0);
  }

  // For what the router does by itself after an answer; bounded, and true at the first look mostly.
  template <typename Condition>
  void Eventually(Condition condition) {
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    while (!condition() && absl::Now() < deadline) {
      std::this_thread::yield();
    }
    EXPECT_TRUE(condition());
  }

  std::string folder_;
  config::RouterConfig config_;
  metrics::Registry registry_{"test"};
  std::unique_ptr<Router> router_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Embedding::Stub> embedding_;
  std::unique_ptr<v1::Cluster::Stub> cluster_;
};

TEST_F(RouterTest, ItemsInVectorsOut) {
  FakeEncoder text(Address("text-0"), {});
  StartRouter();
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

TEST_F(RouterTest, CallsThatWaitBecomeFewBatches) {
  FakeEncoder text(Address("text-0"), {.open = false});
  StartRouter();
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

TEST_F(RouterTest, KilledReplicasItemsGoToAnother) {
  config_.text_replicas.push_back(Address("text-1"));
  FakeEncoder first(Address("text-0"), {.open = false});
  FakeEncoder second(Address("text-1"), {.open = false});
  StartRouter();
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

TEST_F(RouterTest, TheOnlyReplicaComesBackInTime) {
  auto text = std::make_unique<FakeEncoder>(Address("text-0"), FakeEncoder::Options{.open = false});
  StartRouter();
  auto call = Begin(Texts({"a"}));
  text->WaitForBatches(1);
  text.reset();
  FakeEncoder again(Address("text-0"), {});
  EXPECT_TRUE(call->Wait().status.ok());
}

TEST_F(RouterTest, ItemLostTwiceEndsTheCallUnavailable) {
  config_.text_replicas.push_back(Address("text-1"));
  FakeEncoder first(Address("text-0"), {.open = false});
  FakeEncoder second(Address("text-1"), {.open = false});
  StartRouter();
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

TEST_F(RouterTest, DeadlineInTheQueue) {
  FakeEncoder text(Address("text-0"), {.open = false});
  StartRouter();
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
  StartRouter();
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
  StartRouter();
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

TEST_F(RouterTest, WrongNumberOfResultsFailsTheItems) {
  FakeEncoder text(Address("text-0"), {.results_off_by = -1});
  StartRouter();
  const Answer answer = Embed(Texts({"a", "b"}));
  ASSERT_TRUE(answer.status.ok());
  EXPECT_EQ(rpc::FromProto(answer.response.results(1).status()).code(),
            absl::StatusCode::kInternal);
}

TEST_F(RouterTest, RequestFaultsAreTheCalls) {
  FakeEncoder text(Address("text-0"), {});
  StartRouter();
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

TEST_F(RouterTest, AnotherSpaceIsRefused) {
  config_.vision_replicas = {Address("vision-0")};
  FakeEncoder text(Address("text-0"), {});
  {
    FakeEncoder wrong(Address("vision-0"), {.modality = v1::MODALITY_IMAGE, .space_id = "other"});
    auto router = Router::Start(config_, registry_, "");
    ASSERT_TRUE(router.ok());
    router_ = *std::move(router);
    channel_ = rpc::MakeChannel(config_.listen[0], 1 << 20);
    cluster_ = v1::Cluster::NewStub(channel_);
    Eventually([&] { return Status().replicas(1).state() == v1::REPLICA_STATE_REFUSED; });
    EXPECT_THAT(Status().replicas(1).detail(), ::testing::HasSubstr("other"));
    EXPECT_FALSE(Status().ready());
  }
  FakeEncoder right(Address("vision-0"), {.modality = v1::MODALITY_IMAGE});
  WaitForHealth(discovery::Event::kServing);
  EXPECT_TRUE(Status().ready());
}

TEST_F(RouterTest, LoadingReplicaIsWaitedFor) {
  FakeEncoder text(Address("text-0"), {.loading = true});
  auto router = Router::Start(config_, registry_, "");
  ASSERT_TRUE(router.ok());
  router_ = *std::move(router);
  channel_ = rpc::MakeChannel(config_.listen[0], 1 << 20);
  embedding_ = v1::Embedding::NewStub(channel_);
  cluster_ = v1::Cluster::NewStub(channel_);
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

TEST_F(RouterTest, ShutdownLetsCallsInFlightEnd) {
  FakeEncoder text(Address("text-0"), {.open = false});
  StartRouter();
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
