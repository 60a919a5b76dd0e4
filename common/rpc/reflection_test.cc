#include "common/rpc/reflection.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.pb.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "common/rpc/channel.h"
#include "common/rpc/server.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "terminus/v1/cluster.grpc.pb.h"

namespace terminus::rpc {
namespace {

struct V1 {
  using Service = ::grpc::reflection::v1::ServerReflection;
  using Request = ::grpc::reflection::v1::ServerReflectionRequest;
  using Response = ::grpc::reflection::v1::ServerReflectionResponse;
};

struct V1Alpha {
  using Service = ::grpc::reflection::v1alpha::ServerReflection;
  using Request = ::grpc::reflection::v1alpha::ServerReflectionRequest;
  using Response = ::grpc::reflection::v1alpha::ServerReflectionResponse;
};

template <class Version>
class ReflectionTest : public testing::Test {
 protected:
  using Request = typename Version::Request;
  using Response = typename Version::Response;

  ReflectionTest() {
    auto server = Server::Start({.listen = {"127.0.0.1:0"}}, {&cluster_});
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = std::move(*server);
  }

  // The answers to all questions of one stream.
  std::vector<Response> Ask(const std::vector<Request>& questions) {
    auto stub = Version::Service::NewStub(MakeChannel(server_->addresses()[0], 1 << 20));
    grpc::ClientContext context;
    auto stream = stub->ServerReflectionInfo(&context);
    std::vector<Response> answers;
    for (const Request& question : questions) {
      stream->Write(question);
      Response answer;
      EXPECT_TRUE(stream->Read(&answer));
      answers.push_back(answer);
    }
    stream->WritesDone();
    EXPECT_TRUE(stream->Finish().ok());
    return answers;
  }

  static std::vector<std::string> FilesOf(const Response& answer) {
    std::vector<std::string> names;
    for (const std::string& bytes : answer.file_descriptor_response().file_descriptor_proto()) {
      google::protobuf::FileDescriptorProto file;
      EXPECT_TRUE(file.ParseFromString(bytes));
      names.push_back(file.name());
    }
    return names;
  }

  v1::Cluster::CallbackService cluster_;
  std::unique_ptr<Server> server_;
};

using Versions = testing::Types<V1, V1Alpha>;
TYPED_TEST_SUITE(ReflectionTest, Versions);

TYPED_TEST(ReflectionTest, ListsAllServices) {
  typename TypeParam::Request question;
  question.set_list_services("*");
  const auto answers = this->Ask({question});
  std::vector<std::string> names;
  for (const auto& service : answers[0].list_services_response().service()) {
    names.push_back(service.name());
  }
  EXPECT_THAT(names, testing::UnorderedElementsAre("terminus.v1.Cluster", "grpc.health.v1.Health",
                                                   "grpc.reflection.v1.ServerReflection",
                                                   "grpc.reflection.v1alpha.ServerReflection"));
}

TYPED_TEST(ReflectionTest, DescribesEveryServiceItLists) {
  typename TypeParam::Request list;
  list.set_list_services("*");
  const auto services = this->Ask({list})[0].list_services_response().service();
  ASSERT_GT(services.size(), 0);
  for (const auto& service : services) {
    typename TypeParam::Request by_symbol;
    by_symbol.set_file_containing_symbol(service.name());
    const auto answer = this->Ask({by_symbol})[0];
    ASSERT_TRUE(answer.has_file_descriptor_response()) << service.name();
    google::protobuf::FileDescriptorProto file;
    ASSERT_TRUE(file.ParseFromString(answer.file_descriptor_response().file_descriptor_proto(0)));
    bool found = false;
    for (const auto& described : file.service()) {
      found = found || file.package() + "." + described.name() == service.name();
    }
    EXPECT_TRUE(found) << service.name();
  }
}

TYPED_TEST(ReflectionTest, FilesComeWithTheirImports) {
  typename TypeParam::Request by_symbol;
  by_symbol.set_file_containing_symbol("terminus.v1.Cluster.GetStatus");
  typename TypeParam::Request by_name;
  by_name.set_file_by_filename("terminus/v1/cluster.proto");
  const auto answers = this->Ask({by_symbol, by_name});
  EXPECT_EQ(this->FilesOf(answers[0])[0], "terminus/v1/cluster.proto");
  EXPECT_THAT(this->FilesOf(answers[0]), testing::Contains("terminus/v1/modality.proto"));
  EXPECT_EQ(this->FilesOf(answers[0]), this->FilesOf(answers[1]));
  EXPECT_EQ(answers[1].original_request().file_by_filename(), "terminus/v1/cluster.proto");
}

TYPED_TEST(ReflectionTest, AnUnknownNameFailsThatQuestionAlone) {
  typename TypeParam::Request unknown;
  unknown.set_file_containing_symbol("no.such.Thing");
  typename TypeParam::Request extension;
  extension.mutable_file_containing_extension()->set_containing_type(
      "terminus.v1.GetStatusRequest");
  typename TypeParam::Request numbers;
  numbers.set_all_extension_numbers_of_type("terminus.v1.GetStatusRequest");
  const auto answers = this->Ask({unknown, extension, {}, numbers});
  EXPECT_EQ(answers[0].error_response().error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(answers[0].error_response().error_message(), testing::HasSubstr("no.such.Thing"));
  EXPECT_EQ(answers[1].error_response().error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(answers[2].error_response().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(answers[3].all_extension_numbers_response().extension_number_size(), 0);
  EXPECT_EQ(answers[3].all_extension_numbers_response().base_type_name(),
            "terminus.v1.GetStatusRequest");
}

// Why reflection is ours: a thread that gRPC keeps for blocking handlers takes part in polling.
TYPED_TEST(ReflectionTest, TheServerKeepsNoThreadForBlockingHandlers) {
  int threads = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm") >> std::ws, name);
    EXPECT_THAT(name, testing::Not(testing::HasSubstr("sync")));
    ++threads;
  }
  EXPECT_GT(threads, 1);
}

}  // namespace
}  // namespace terminus::rpc
