#include "common/rpc/server.h"

#include <gmock/gmock.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "common/base/temp_folder.h"
#include "common/rpc/channel.h"
#include "terminus/v1/cluster.grpc.pb.h"

namespace terminus::rpc {
namespace {

class FakeCluster : public v1::Cluster::CallbackService {
 public:
  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* context,
                                      const v1::GetStatusRequest*,
                                      v1::GetStatusResponse* response) override {
    response->set_version("fake");
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

TEST(Server, AnswersOnUnixSocketAndFreePort) {
  FakeCluster service;
  const base::TempFolder folder;
  const std::string path = folder.Path("server_test.sock");
  auto server = Server::Start({.listen = {"unix:" + path, "127.0.0.1:0"}}, {&service});
  ASSERT_TRUE(server.ok()) << server.status();
  ASSERT_EQ((*server)->addresses().size(), 2u);
  EXPECT_THAT((*server)->addresses()[1], testing::Not(testing::EndsWith(":0")));
  struct stat info {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  for (const std::string& address : (*server)->addresses()) {
    auto stub = v1::Cluster::NewStub(MakeChannel(address, 1 << 20));
    grpc::ClientContext context;
    v1::GetStatusResponse response;
    ASSERT_TRUE(stub->GetStatus(&context, {}, &response).ok()) << address;
    EXPECT_EQ(response.version(), "fake");
  }
  server->reset();
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(Server, StaleSocketIsReplacedAndALiveOneIsNot) {
  FakeCluster service;
  const base::TempFolder folder;
  const std::string address = "unix:" + folder.Path("stale.sock");
  auto first = Server::Start({.listen = {address}}, {&service});
  ASSERT_TRUE(first.ok());
  auto second = Server::Start({.listen = {address}}, {&service});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(second.status().message()), testing::HasSubstr("stale.sock"));
}

TEST(Server, AFileThatIsNoSocketIsLeftAlone) {
  FakeCluster service;
  const base::TempFolder folder;
  const std::string path = folder.Path("not_a_socket");
  std::ofstream(path) << "precious";
  EXPECT_FALSE(Server::Start({.listen = {"unix:" + path}}, {&service}).ok());
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST(Server, TakenPortIsNamed) {
  FakeCluster service;
  auto first = Server::Start({.listen = {"127.0.0.1:0"}}, {&service});
  ASSERT_TRUE(first.ok());
  auto second = Server::Start({.listen = {(*first)->addresses()[0]}}, {&service});
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(std::string(second.status().message()), testing::HasSubstr((*first)->addresses()[0]));
}

TEST(Server, TooLongSocketPathIsRefused) {
  FakeCluster service;
  auto server = Server::Start({.listen = {"unix:/tmp/" + std::string(200, 'x')}}, {&service});
  EXPECT_EQ(server.status().code(), absl::StatusCode::kInvalidArgument);
}

// Raw bytes of grpc.health.v1.HealthCheckResponse: field 1, SERVING = 1, NOT_SERVING = 2.
std::string Health(const std::string& address) {
  grpc::GenericStub stub(MakeChannel(address, 1 << 20));
  grpc::ClientContext context;
  const grpc::Slice empty;
  grpc::ByteBuffer request(&empty, 1);
  grpc::ByteBuffer response;
  grpc::CompletionQueue queue;
  grpc::Status status;
  auto call = stub.PrepareUnaryCall(&context, "/grpc.health.v1.Health/Check", request, &queue);
  call->StartCall();
  call->Finish(&response, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  grpc::Slice slice;
  if (!status.ok() || !response.DumpToSingleSlice(&slice).ok()) {
    return "error";
  }
  return std::string(slice.begin(), slice.end());
}

TEST(Server, HealthFollowsSetServing) {
  FakeCluster service;
  auto server = Server::Start({.listen = {"127.0.0.1:0"}}, {&service});
  ASSERT_TRUE(server.ok());
  const std::string address = (*server)->addresses()[0];
  EXPECT_EQ(Health(address), "\x08\x02");
  (*server)->SetServing(true);
  EXPECT_EQ(Health(address), "\x08\x01");
}

}  // namespace
}  // namespace terminus::rpc
