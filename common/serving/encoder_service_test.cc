#include "common/serving/encoder_service.h"

#include <gmock/gmock.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "common/rpc/channel.h"
#include "common/rpc/server.h"
#include "common/tensor/tensor.h"

namespace terminus::serving {
namespace {

using executor::Embeddings;
using executor::TextBatch;
using testing::HasSubstr;

// Opens once; what waits at it goes on for ever after.
class Gate {
 public:
  void Open() { promise_.set_value(); }
  void Wait() { future_.wait(); }

 private:
  std::promise<void> promise_;
  std::shared_future<void> future_ = promise_.get_future().share();
};

// One token a byte. "bad" is refused, as an undecodable image would be.
class FakeFrontend : public Frontend<TextBatch> {
 public:
  Prepared<TextBatch> Prepare(const v1::EncodeBatchRequest& request,
                              absl::Span<const absl::Status> admitted,
                              base::ThreadPool& /*pool*/) const override {
    Prepared<TextBatch> prepared;
    for (int i = 0; i < request.items_size(); ++i) {
      PreparedItem& item = prepared.items.emplace_back();
      const std::string& text = request.items(i).content().text();
      item.status = text == "bad" ? base::FieldError(base::kReasonInvalidUtf8, "text", "not UTF-8")
                                  : admitted[static_cast<size_t>(i)];
      if (item.status.ok()) {
        item.cost.set_tokens(static_cast<uint32_t>(text.size()));
        prepared.batch.token_ids.emplace_back(text.begin(), text.end());
      }
    }
    prepared.bytes_per_token = 1;
    return prepared;
  }
};

struct Script {
  Gate* started = nullptr;
  Gate* may_finish = nullptr;
  bool throws = false;
  std::atomic<int> batches{0};
};

// A text's vector is [its length, its first byte].
class FakeEncoder : public executor::Encoder<TextBatch> {
 public:
  explicit FakeEncoder(Script& script) : script_(script) {}
  absl::StatusOr<Embeddings> Encode(const TextBatch& batch) override {
    if (script_.batches++ == 0 && script_.started != nullptr) {
      script_.started->Open();
      script_.may_finish->Wait();
    }
    if (script_.throws) {
      throw std::runtime_error("device on fire");
    }
    Embeddings out{static_cast<int>(batch.token_ids.size()), 2, {}};
    for (const auto& ids : batch.token_ids) {
      out.values.push_back(static_cast<float>(ids.size()));
      out.values.push_back(static_cast<float>(ids[0]));
    }
    return out;
  }
  int dimension() const override { return 2; }

 private:
  Script& script_;
};

class EncoderServiceTest : public testing::Test {
 protected:
  void SetUp() override {
    auto server = rpc::Server::Start({.listen = {"127.0.0.1:0"}}, {&service_});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    stub_ = v1::Encoder::NewStub(rpc::MakeChannel(server_->addresses()[0], 64 << 20));
  }

  void ServeModel() {
    auto model = std::make_shared<ServedModel<TextBatch>>();
    model->info = {.name = "fake", .modality = v1::MODALITY_TEXT, .space_id = "s", .device = "cpu"};
    model->frontend = std::make_unique<FakeFrontend>();
    model->executor = std::make_unique<executor::Executor<TextBatch>>(
        "test", std::make_unique<FakeEncoder>(script_), 1);
    service_.Serve(std::move(model));
  }

  HostedModel Hosted(const std::string& space, Script& script) {
    auto model = std::make_shared<ServedModel<TextBatch>>();
    model->info = {.name = space, .space_id = space, .device = "cpu"};
    model->frontend = std::make_unique<FakeFrontend>();
    model->executor = std::make_unique<executor::Executor<TextBatch>>(
        "test", std::make_unique<FakeEncoder>(script), 2);
    return service_.Host(std::move(model));
  }

  // The space that a batch for `space` was answered from, or the status' code.
  std::string SpaceOf(const std::string& space) {
    v1::EncodeBatchRequest request;
    request.set_space_id(space);
    request.add_items()->mutable_content()->set_text("text");
    v1::EncodeBatchResponse response;
    grpc::ClientContext context;
    const absl::Status status = rpc::FromGrpc(stub_->EncodeBatch(&context, request, &response));
    return status.ok() ? response.space_id() : std::string(base::Reason(status));
  }

  grpc::Status Encode(const std::vector<std::string>& texts, v1::EncodeBatchResponse* response,
                      grpc::ClientContext* context = nullptr, uint64_t timeout_us = 0) {
    v1::EncodeBatchRequest request;
    for (const std::string& text : texts) {
      v1::EncodeItem* item = request.add_items();
      item->mutable_content()->set_text(text);
      item->set_timeout_us(timeout_us);
    }
    grpc::ClientContext own;
    own.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(30)));
    return stub_->EncodeBatch(context != nullptr ? context : &own, request, response);
  }

  Script script_;
  metrics::Registry registry_{"test"};
  ServingMetrics metrics_{registry_};
  EncoderService<TextBatch> service_{2, "127.0.0.1:9", metrics_};
  std::unique_ptr<rpc::Server> server_;
  std::unique_ptr<v1::Encoder::Stub> stub_;
};

TEST_F(EncoderServiceTest, UnavailableUntilTheModelIsServed) {
  v1::DescribeResponse description;
  {
    grpc::ClientContext context;
    EXPECT_EQ(stub_->Describe(&context, {}, &description).error_code(),
              grpc::StatusCode::UNAVAILABLE);
  }
  v1::EncodeBatchResponse response;
  EXPECT_EQ(Encode({"a"}, &response).error_code(), grpc::StatusCode::UNAVAILABLE);
  ServeModel();
  grpc::ClientContext context;
  ASSERT_TRUE(stub_->Describe(&context, {}, &description).ok());
  EXPECT_EQ(description.model(), "fake");
  EXPECT_EQ(description.dimension(), 2u);
  EXPECT_EQ(description.max_in_flight(), 1u);
  EXPECT_EQ(description.protocol(), kEncoderProtocol);
  EXPECT_THAT(registry_.Scrape(), HasSubstr("terminus_encoder_ready 1"));
}

TEST_F(EncoderServiceTest, ABrokenItemFailsAloneAndRowsStayInOrder) {
  ServeModel();
  v1::EncodeBatchResponse response;
  ASSERT_TRUE(Encode({"a", "bad", "ccc"}, &response).ok());
  ASSERT_EQ(response.results_size(), 3);
  EXPECT_EQ(response.results(0).status().code(), 0);
  EXPECT_EQ(*tensor::ToFloats(response.results(0).vector()), (std::vector<float>{1, 'a'}));
  EXPECT_EQ(base::Reason(rpc::FromProto(response.results(1).status())), "INVALID_UTF8");
  EXPECT_EQ(*tensor::ToFloats(response.results(2).vector()), (std::vector<float>{3, 'c'}));
  EXPECT_EQ(response.results(2).cost().tokens(), 3u);
  EXPECT_THAT(registry_.Scrape(), HasSubstr("terminus_encoder_items_total{code=\"OK\"} 2"));
}

TEST_F(EncoderServiceTest, ABatchOfBrokenItemsIsNotExecuted) {
  ServeModel();
  v1::EncodeBatchResponse response;
  ASSERT_TRUE(Encode({"bad", "bad"}, &response).ok());
  EXPECT_EQ(response.results_size(), 2);
  EXPECT_EQ(script_.batches, 0);
}

TEST_F(EncoderServiceTest, ExpiredItemsAreNotExecuted) {
  ServeModel();
  v1::EncodeBatchResponse response;
  // A microsecond is over before any thread has picked the batch up.
  ASSERT_TRUE(Encode({"a"}, &response, nullptr, 1).ok());
  EXPECT_EQ(response.results(0).status().code(),
            static_cast<int>(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(script_.batches, 0);
}

TEST_F(EncoderServiceTest, OneBatchTooManyIsRefused) {
  Gate started;
  Gate may_finish;
  script_.started = &started;
  script_.may_finish = &may_finish;
  ServeModel();
  std::thread first([&] {
    v1::EncodeBatchResponse response;
    EXPECT_TRUE(Encode({"a"}, &response).ok());
  });
  started.Wait();
  v1::EncodeBatchResponse response;
  const absl::Status refused = rpc::FromGrpc(Encode({"b"}, &response));
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(base::Reason(refused), "OVERLOADED");
  EXPECT_TRUE(base::RetryDelay(refused).has_value());
  may_finish.Open();
  first.join();
  EXPECT_TRUE(Encode({"c"}, &response).ok());
}

TEST_F(EncoderServiceTest, CancelledBatchThatWaitsIsNotExecuted) {
  Gate started;
  Gate may_finish;
  script_.started = &started;
  script_.may_finish = &may_finish;
  auto model = std::make_shared<ServedModel<TextBatch>>();
  model->info = {.name = "fake", .device = "cpu"};
  model->frontend = std::make_unique<FakeFrontend>();
  model->executor = std::make_unique<executor::Executor<TextBatch>>(
      "test", std::make_unique<FakeEncoder>(script_), 2);
  service_.Serve(model);
  std::thread first([&] {
    v1::EncodeBatchResponse response;
    EXPECT_TRUE(Encode({"a"}, &response).ok());
  });
  started.Wait();
  grpc::ClientContext leaving;
  std::thread second([&] {
    v1::EncodeBatchResponse response;
    EXPECT_EQ(Encode({"b"}, &response, &leaving).error_code(), grpc::StatusCode::CANCELLED);
  });
  // Both are inside once the executor counts two; then the second leaves.
  while (model->executor->in_flight() < 2) {
    std::this_thread::yield();
  }
  leaving.TryCancel();
  second.join();
  // The cancellation travels ahead of these calls on the same connection; once they are answered,
  // the service knows of it.
  for (int i = 0; i < 20; ++i) {
    grpc::ClientContext context;
    v1::DescribeResponse description;
    ASSERT_TRUE(stub_->Describe(&context, {}, &description).ok());
  }
  may_finish.Open();
  first.join();
  while (model->executor->in_flight() > 0) {
    std::this_thread::yield();
  }
  EXPECT_EQ(script_.batches, 1);
}

TEST_F(EncoderServiceTest, AnExceptionOfTheDeviceIsAStatusOfEachItem) {
  script_.throws = true;
  ServeModel();
  v1::EncodeBatchResponse response;
  ASSERT_TRUE(Encode({"a", "b"}, &response).ok());
  ASSERT_EQ(response.results_size(), 2);
  EXPECT_EQ(response.results(1).status().code(), static_cast<int>(absl::StatusCode::kInternal));
  EXPECT_THAT(response.results(1).status().message(), HasSubstr("device on fire"));
}

TEST_F(EncoderServiceTest, ABatchEndsOnTheModelThatItBeganOn) {
  Gate started;
  Gate may_finish;
  Script old_script;
  old_script.started = &started;
  old_script.may_finish = &may_finish;
  service_.slots().Start(Hosted("old", old_script));
  v1::EncodeBatchResponse first_response;
  std::thread first([&] { EXPECT_TRUE(Encode({"a"}, &first_response).ok()); });
  started.Wait();
  ASSERT_TRUE(service_.slots().Begin("load", absl::InfiniteFuture(), absl::Now()).ok());
  ASSERT_TRUE(service_.slots().End("load", Hosted("new", script_)).ok());
  ASSERT_TRUE(service_.slots().Commit("load").ok());
  EXPECT_EQ(SpaceOf(""), "new");
  EXPECT_EQ(SpaceOf("new"), "new");
  service_.slots().Finish("load");
  EXPECT_EQ(SpaceOf("old"), base::kReasonModelNotLoaded);
  EXPECT_EQ(script_.batches, 2);
  may_finish.Open();
  first.join();
  EXPECT_EQ(first_response.space_id(), "old");
  EXPECT_EQ(old_script.batches, 1);
}

TEST_F(EncoderServiceTest, WithoutAModelItIsIdle) {
  service_.slots().Start(Hosted("old", script_));
  ASSERT_TRUE(service_.slots().Unload("old", absl::Now()).ok());
  EXPECT_EQ(SpaceOf(""), base::kReasonModelNotLoaded);
  v1::DescribeResponse description;
  grpc::ClientContext context;
  ASSERT_TRUE(stub_->Describe(&context, {}, &description).ok());
  EXPECT_TRUE(description.idle());
  EXPECT_EQ(description.space_id(), "");
  EXPECT_EQ(description.protocol(), kEncoderProtocol);
}

TEST_F(EncoderServiceTest, OtherModelAndEmptyBatchAreRefused) {
  ServeModel();
  v1::EncodeBatchResponse response;
  EXPECT_EQ(Encode({}, &response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  v1::EncodeBatchRequest request;
  request.set_model("other");
  request.add_items();
  grpc::ClientContext context;
  EXPECT_EQ(stub_->EncodeBatch(&context, request, &response).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

}  // namespace
}  // namespace terminus::serving
