#include "common/serving/model_host.h"

#include <gmock/gmock.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <thread>

#include "absl/time/clock.h"
#include "common/base/errors.h"
#include "common/base/temp_folder.h"
#include "common/rpc/channel.h"
#include "common/rpc/server.h"
#include "common/rpc/status.h"

namespace terminus::serving {
namespace {

using ::testing::HasSubstr;

class ModelHostTest : public ::testing::Test {
 protected:
  ModelHostTest() {
    slots_.Start({.name = "old", .space_id = "old", .model = std::make_shared<int>(0)});
  }

  void Serve(bool enabled) {
    host_ = std::make_unique<ModelHost>(
        slots_,
        ModelHostOptions{.enabled = enabled, .load = [this](const auto& request, auto* response) {
                           return load_(request, response);
                         }});
    auto server = rpc::Server::Start({.listen = {"127.0.0.1:0"}}, {host_.get()});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    stub_ = v1::ModelHost::NewStub(rpc::MakeChannel(server_->addresses()[0], 64 << 20));
  }

  absl::Status Stage(const std::string& id, const std::string& path,
                     v1::StageModelResponse* response = nullptr, const std::string& name = "") {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(30)));
    v1::StageModelRequest request;
    request.set_load_id(id);
    request.set_path(path);
    request.set_name(name);
    request.set_keep_us(60'000'000);
    v1::StageModelResponse own;
    if (response == nullptr) response = &own;
    const grpc::Status status = stub_->Stage(&context, request, response);
    return status.ok() ? rpc::FromProto(response->status()) : rpc::FromGrpc(status);
  }
  absl::Status Commit(const std::string& id) {
    grpc::ClientContext context;
    v1::CommitModelRequest request;
    request.set_load_id(id);
    v1::CommitModelResponse response;
    return rpc::FromGrpc(stub_->Commit(&context, request, &response));
  }
  void Finish(const std::string& id) {
    grpc::ClientContext context;
    v1::FinishModelRequest request;
    request.set_load_id(id);
    v1::FinishModelResponse response;
    EXPECT_TRUE(stub_->Finish(&context, request, &response).ok());
  }
  absl::Status Unload(const std::string& name) {
    grpc::ClientContext context;
    v1::UnloadHostedModelRequest request;
    request.set_name(name);
    v1::UnloadHostedModelResponse response;
    return rpc::FromGrpc(stub_->Unload(&context, request, &response));
  }

  const base::TempFolder folder_;
  metrics::Registry registry_{"test"};
  ModelSlots slots_{registry_.AddGauge("terminus_test_ready", "Of the test")};
  std::function<absl::StatusOr<HostedModel>(const v1::StageModelRequest&, v1::StageModelResponse*)>
      load_ = [](const v1::StageModelRequest& request, v1::StageModelResponse* response) {
        response->mutable_encoder()->set_space_id("new");
        return HostedModel{
            .name = request.name(), .space_id = "new", .model = std::make_shared<int>(0)};
      };
  std::unique_ptr<ModelHost> host_;
  std::unique_ptr<rpc::Server> server_;
  std::unique_ptr<v1::ModelHost::Stub> stub_;
};

TEST_F(ModelHostTest, StageCommitFinishUnload) {
  Serve(true);
  v1::StageModelResponse staged;
  ASSERT_TRUE(Stage("a", folder_.path(), &staged, "name").ok());
  EXPECT_EQ(staged.encoder().space_id(), "new");
  EXPECT_EQ(slots_.served()->name, "old");
  ASSERT_TRUE(Commit("a").ok());
  EXPECT_EQ(slots_.served()->name, "name");
  EXPECT_EQ(Unload("name").code(), absl::StatusCode::kAborted);
  Finish("a");
  EXPECT_EQ(Unload("old").code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(Unload("name").ok());
}

TEST_F(ModelHostTest, AFailedLoadSaysAllAndTheOldModelStays) {
  Serve(true);
  // Longer than a call's status could be.
  std::string list;
  for (int i = 0; i < 1000; ++i) {
    list += "\n  layers." + std::to_string(i) + ".weight: expected float32 [2], file has none";
  }
  load_ = [&](const auto&, auto*) { return absl::InvalidArgumentError(list); };
  const absl::Status failed = Stage("a", folder_.path());
  EXPECT_EQ(failed.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(failed.message()), HasSubstr("layers.999.weight"));
  load_ = [](const auto&, auto*) -> absl::StatusOr<HostedModel> { throw std::bad_alloc(); };
  EXPECT_EQ(Stage("b", folder_.path()).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Commit("b").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(slots_.served()->name, "old");
}

TEST_F(ModelHostTest, NothingInTheBundleForThisService) {
  Serve(true);
  load_ = [](const auto&, auto*) {
    return base::MakeError(absl::StatusCode::kFailedPrecondition, base::kReasonNotInBundle,
                           "no text section");
  };
  v1::StageModelResponse staged;
  ASSERT_TRUE(Stage("a", folder_.path(), &staged).ok());
  EXPECT_TRUE(staged.absent());
  ASSERT_TRUE(Commit("a").ok());
  EXPECT_EQ(slots_.served()->model, nullptr);
}

TEST_F(ModelHostTest, WhatIsAskedForIsChecked) {
  Serve(true);
  EXPECT_EQ(base::Field(Stage("", folder_.path())), "load_id");
  EXPECT_EQ(base::Field(Stage(std::string(65, 'x'), folder_.path())), "load_id");
  EXPECT_EQ(base::Field(Stage("a", "relative")), "path");
  EXPECT_EQ(base::Field(Stage("a", "/" + std::string(4096, 'x'))), "path");
  EXPECT_EQ(base::Field(Stage("a", folder_.path(), nullptr, std::string(257, 'x'))), "name");
  EXPECT_EQ(Stage("a", folder_.path() + "/nothing").code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(Stage("a", folder_.path()).ok()) << "none of these left anything behind";
}

TEST_F(ModelHostTest, ASecondLoadIsRefusedAndTheFirstGoesOn) {
  Serve(true);
  std::promise<void> begun;
  std::promise<void> may_end;
  load_ = [&](const auto&, auto*) {
    begun.set_value();
    may_end.get_future().wait();
    return HostedModel{.name = "new", .space_id = "new", .model = std::make_shared<int>(0)};
  };
  std::thread first([&] { EXPECT_TRUE(Stage("a", folder_.path()).ok()); });
  begun.get_future().wait();
  const absl::Status second = Stage("b", folder_.path());
  EXPECT_EQ(second.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(base::Reason(second), base::kReasonLoadUnderWay);
  may_end.set_value();
  first.join();
  EXPECT_TRUE(Commit("a").ok());
}

TEST_F(ModelHostTest, WhoLeavesTakesTheModelAlong) {
  Serve(true);
  std::promise<void> begun;
  std::promise<void> may_end;
  load_ = [&](const auto&, auto*) {
    begun.set_value();
    may_end.get_future().wait();
    return HostedModel{.name = "new", .space_id = "new", .model = std::make_shared<int>(0)};
  };
  std::thread leaving([&] {
    grpc::ClientContext context;
    v1::StageModelRequest request;
    request.set_load_id("a");
    request.set_path(folder_.path());
    v1::StageModelResponse response;
    std::thread cancel([&] {
      begun.get_future().wait();
      context.TryCancel();
    });
    EXPECT_EQ(stub_->Stage(&context, request, &response).error_code(), grpc::StatusCode::CANCELLED);
    cancel.join();
  });
  leaving.join();
  Finish("a");
  may_end.set_value();
  server_.reset();
  host_.reset();  // Ends what it runs.
  EXPECT_EQ(slots_.Commit("a").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(slots_.served()->name, "old");
}

TEST_F(ModelHostTest, OffMeansOff) {
  Serve(false);
  EXPECT_EQ(Stage("a", folder_.path()).code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(Commit("a").code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(Unload("old").code(), absl::StatusCode::kPermissionDenied);
}

}  // namespace
}  // namespace terminus::serving
