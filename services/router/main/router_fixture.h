#pragma once

#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/base/temp_folder.h"
#include "common/rpc/status.h"
#include "services/router/discovery/health_watch.h"
#include "services/router/main/router.h"
#include "services/router/testing/fake_encoder.h"

namespace terminus::services::router {

// A router between clients and fake encoders, over real sockets.
class RouterTest : public ::testing::Test {
 protected:
  RouterTest() {
    config_.listen = {Address("router")};
    config_.text_replicas = {Address("text-0")};
    config_.health.interval = absl::Milliseconds(20);
  }
  ~RouterTest() override { router_.reset(); }

  std::string Address(const std::string& name) const {
    return "unix:" + folder_ + "/" + name + ".sock";
  }

  void StartRouter() {
    auto router = Router::Start(config_, registry_, "");
    ASSERT_TRUE(router.ok()) << router.status();
    router_ = *std::move(router);
    channel_ = grpc::CreateChannel(config_.listen[0], grpc::InsecureChannelCredentials());
    embedding_ = v1::Embedding::NewStub(channel_);
    cluster_ = v1::Cluster::NewStub(channel_);
  }

  // As StartRouter, and waits until its health says SERVING.
  void StartServing() {
    StartRouter();
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

  const base::TempFolder temp_;
  const std::string folder_ = temp_.path();
  config::RouterConfig config_;
  metrics::Registry registry_{"test"};
  std::unique_ptr<Router> router_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Embedding::Stub> embedding_;
  std::unique_ptr<v1::Cluster::Stub> cluster_;
};

}  // namespace terminus::services::router
