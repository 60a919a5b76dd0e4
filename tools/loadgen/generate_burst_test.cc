#include "tools/loadgen/generate_burst.h"

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <atomic>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "terminus/v1/generation.grpc.pb.h"

namespace terminus::tools::loadgen {
namespace {

using testing::HasSubstr;

// Generates max_tokens tokens. A model's name may ask for another end.
class FakeGeneration : public v1::Generation::Service {
 public:
  grpc::Status Generate(grpc::ServerContext* context, const v1::GenerateRequest* request,
                        grpc::ServerWriter<v1::GenerateResponse>* writer) override {
    ++calls_;
    if (request->model() == "gone") {
      return {grpc::StatusCode::NOT_FOUND, "no such model"};
    }
    while (request->model() == "stuck" && !context->IsCancelled()) {
    }
    v1::GenerateResponse response;
    for (uint32_t i = 0; i < request->sampling().max_tokens(); ++i) {
      response.mutable_delta()->clear_token_ids();
      response.mutable_delta()->add_token_ids(i);
      writer->Write(response);
    }
    if (request->model() != "no usage") {
      response.mutable_usage()->set_prompt_tokens(request->messages_size());
      response.mutable_usage()->set_cached_prompt_tokens(1);
      response.mutable_usage()->set_generated_tokens(request->sampling().max_tokens());
      writer->Write(response);
    }
    return grpc::Status::OK;
  }

  int calls() const { return calls_; }

 private:
  std::atomic<int> calls_ = 0;
};

class GenerateBurstTest : public testing::Test {
 protected:
  GenerateBurstTest() {
    grpc::ServerBuilder builder;
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
  }

  static v1::GenerateRequest Request(uint32_t tokens, const std::string& model = "") {
    v1::GenerateRequest request;
    request.set_model(model);
    request.add_messages();
    request.add_messages();
    request.mutable_sampling()->set_max_tokens(tokens);
    return request;
  }

  absl::StatusOr<GenerateReport> Run(std::vector<v1::GenerateRequest> requests,
                                     absl::Duration timeout = absl::Minutes(1)) {
    return RunGenerateBurst(
        {.channels = {server_->InProcessChannel({}), server_->InProcessChannel({})},
         .requests = std::move(requests),
         .timeout = timeout});
  }

  FakeGeneration service_;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(GenerateBurstTest, SumsWhatTheCallsUsed) {
  const auto report = Run({Request(3), Request(5), Request(0)});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->prompt_tokens, 6);
  EXPECT_EQ(report->cached_prompt_tokens, 3);
  EXPECT_EQ(report->generated_tokens, 8);
  EXPECT_EQ(service_.calls(), 3);
  // The last call made no token.
  EXPECT_EQ(report->first_token.count(), 2);
  EXPECT_GT(report->took, absl::ZeroDuration());
  EXPECT_LE(report->first_token.Quantile(1), report->took * 1.01);
}

TEST_F(GenerateBurstTest, AFailedCallFailsTheBurstOnceAllHaveEnded) {
  const auto report = Run({Request(3), Request(3, "gone"), Request(3, "gone")});
  EXPECT_EQ(report.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(report.status().message()),
              HasSubstr("2 of 3 calls failed, the first: no such model"));
  EXPECT_EQ(service_.calls(), 3);
}

TEST_F(GenerateBurstTest, AStreamWithoutUsageIsAnError) {
  EXPECT_EQ(Run({Request(3, "no usage")}).status().code(), absl::StatusCode::kInternal);
}

TEST_F(GenerateBurstTest, ACallThatStandsStillEndsAtItsDeadline) {
  EXPECT_EQ(Run({Request(3), Request(3, "stuck")}, absl::Milliseconds(50)).status().code(),
            absl::StatusCode::kDeadlineExceeded);
}

}  // namespace
}  // namespace terminus::tools::loadgen
