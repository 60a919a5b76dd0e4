#include "common/rpc/unknown_methods.h"

#include <gmock/gmock.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>

#include "common/base/errors.h"
#include "common/rpc/channel.h"
#include "common/rpc/server.h"
#include "common/rpc/status.h"
#include "terminus/v1/cluster.grpc.pb.h"

namespace terminus::rpc {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class UnknownMethodsTest : public ::testing::Test {
 protected:
  UnknownMethodsTest() {
    auto server = Server::Start({.listen = {"127.0.0.1:0"}}, {&cluster_});
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = std::move(*server);
    channel_ = MakeChannel(server_->addresses()[0], 1 << 20);
  }

  // One call with an empty message.
  absl::Status Call(const std::string& method) {
    grpc::GenericStub stub(channel_);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    const grpc::Slice empty;
    const grpc::ByteBuffer request(&empty, 1);
    grpc::ByteBuffer response;
    std::promise<grpc::Status> done;
    stub.UnaryCall(&context, method, grpc::StubOptions(), &request, &response,
                   [&](const grpc::Status& status) { done.set_value(status); });
    return FromGrpc(done.get_future().get());
  }

  v1::Cluster::CallbackService cluster_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

TEST_F(UnknownMethodsTest, MethodOfAKnownServiceNamesTheNearest) {
  const absl::Status status = Call("/terminus.v1.Cluster/GetStats");
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(base::Reason(status), base::kReasonUnknownMethod);
  EXPECT_EQ(status.message(),
            "there is no method /terminus.v1.Cluster/GetStats; the nearest is "
            "/terminus.v1.Cluster/GetStatus");
}

TEST_F(UnknownMethodsTest, UnknownServiceListsTheServices) {
  const absl::Status status = Call("/terminus.v1.Clusters/GetStatus");
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(base::Reason(status), base::kReasonUnknownMethod);
  for (const char* said : {"the nearest is /terminus.v1.Cluster/GetStatus", "grpc.health.v1.Health",
                           "grpc.reflection.v1.ServerReflection"}) {
    EXPECT_THAT(std::string(status.message()), HasSubstr(said));
  }
}

TEST_F(UnknownMethodsTest, OddNamesAreAnswered) {
  for (const char* method : {"/", "//", "/x", "/a/b/c", "/terminus.v1.Cluster/"}) {
    const absl::Status status = Call(method);
    EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented) << method;
    EXPECT_EQ(base::Reason(status), base::kReasonUnknownMethod) << method;
  }
}

TEST_F(UnknownMethodsTest, ALongNameIsCut) {
  const absl::Status status = Call("/terminus.v1.Cluster/" + std::string(4000, 'x'));
  EXPECT_EQ(base::Reason(status), base::kReasonUnknownMethod) << status;
  EXPECT_LT(status.message().size(), 300u);
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("nearest")));
}

TEST_F(UnknownMethodsTest, KnownMethodsAreNotTouched) {
  EXPECT_TRUE(Call("/grpc.health.v1.Health/Check").ok());
}

}  // namespace
}  // namespace terminus::rpc
