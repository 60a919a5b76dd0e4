#include "common/rpc/reflection.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <grpcpp/impl/server_builder_plugin.h>
#include <grpcpp/impl/server_initializer.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "grpc/health/v1/health.pb.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"

namespace terminus::rpc {
namespace {

// The two versions of the protocol differ in their package only.
struct V1 {
  using Service = ::grpc::reflection::v1::ServerReflection::CallbackService;
  using Request = ::grpc::reflection::v1::ServerReflectionRequest;
  using Response = ::grpc::reflection::v1::ServerReflectionResponse;
};

struct V1Alpha {
  using Service = ::grpc::reflection::v1alpha::ServerReflection::CallbackService;
  using Request = ::grpc::reflection::v1alpha::ServerReflectionRequest;
  using Response = ::grpc::reflection::v1alpha::ServerReflectionResponse;
};

template <class Response>
void WriteError(const std::string& message, Response& answer) {
  answer.mutable_error_response()->set_error_code(grpc::StatusCode::NOT_FOUND);
  answer.mutable_error_response()->set_error_message(message);
}

// The file and all that it imports, each once.
void AddFiles(const google::protobuf::FileDescriptor& file, std::set<std::string>& seen,
              google::protobuf::RepeatedPtrField<std::string>& files) {
  if (!seen.insert(file.name()).second) {
    return;
  }
  google::protobuf::FileDescriptorProto proto;
  file.CopyTo(&proto);
  *files.Add() = proto.SerializeAsString();
  for (int i = 0; i < file.dependency_count(); ++i) {
    AddFiles(*file.dependency(i), seen, files);
  }
}

template <class Response>
void WriteFile(const google::protobuf::FileDescriptor* file, const std::string& asked,
               Response& answer) {
  if (file == nullptr) {
    WriteError(absl::StrCat("nothing known of '", asked, "'"), answer);
    return;
  }
  std::set<std::string> seen;
  AddFiles(*file, seen,
           *answer.mutable_file_descriptor_response()->mutable_file_descriptor_proto());
}

template <class Response>
void WriteExtensions(const std::string& type, Response& answer) {
  const auto* pool = google::protobuf::DescriptorPool::generated_pool();
  const google::protobuf::Descriptor* message = pool->FindMessageTypeByName(type);
  if (message == nullptr) {
    WriteError(absl::StrCat("nothing known of '", type, "'"), answer);
    return;
  }
  std::vector<const google::protobuf::FieldDescriptor*> extensions;
  pool->FindAllExtensions(message, &extensions);
  auto& numbers = *answer.mutable_all_extension_numbers_response();
  numbers.set_base_type_name(type);
  for (const google::protobuf::FieldDescriptor* extension : extensions) {
    numbers.add_extension_number(extension->number());
  }
}

const google::protobuf::FileDescriptor* FileOfExtension(const std::string& containing_type,
                                                        int number) {
  const auto* pool = google::protobuf::DescriptorPool::generated_pool();
  const google::protobuf::Descriptor* message = pool->FindMessageTypeByName(containing_type);
  const google::protobuf::FieldDescriptor* extension =
      message == nullptr ? nullptr : pool->FindExtensionByNumber(message, number);
  return extension == nullptr ? nullptr : extension->file();
}

template <class Version>
class ReflectionService final : public Version::Service {
 public:
  using Request = typename Version::Request;
  using Response = typename Version::Response;

  // Before the server takes calls.
  void SetServices(std::vector<std::string> names) { names_ = std::move(names); }

  grpc::ServerBidiReactor<Request, Response>* ServerReflectionInfo(
      grpc::CallbackServerContext* /*context*/) override {
    return new Call(*this);
  }

 private:
  // Reads a question, writes its answer, and so on; deletes itself.
  class Call final : public grpc::ServerBidiReactor<Request, Response> {
   public:
    explicit Call(const ReflectionService& service) : service_(service) {
      this->StartRead(&request_);
    }

    void OnReadDone(bool ok) override {
      if (!ok) {
        this->Finish(grpc::Status::OK);
        return;
      }
      response_ = service_.Answer(request_);
      this->StartWrite(&response_);
    }
    void OnWriteDone(bool ok) override {
      if (!ok) {
        this->Finish(grpc::Status::CANCELLED);
        return;
      }
      this->StartRead(&request_);
    }
    void OnDone() override { delete this; }

   private:
    const ReflectionService& service_;
    Request request_;
    Response response_;
  };

  Response Answer(const Request& request) const {
    const auto* pool = google::protobuf::DescriptorPool::generated_pool();
    Response answer;
    answer.set_valid_host(request.host());
    *answer.mutable_original_request() = request;
    switch (request.message_request_case()) {
      case Request::kFileByFilename:
        WriteFile(pool->FindFileByName(request.file_by_filename()), request.file_by_filename(),
                  answer);
        break;
      case Request::kFileContainingSymbol:
        WriteFile(pool->FindFileContainingSymbol(request.file_containing_symbol()),
                  request.file_containing_symbol(), answer);
        break;
      case Request::kFileContainingExtension: {
        const std::string& type = request.file_containing_extension().containing_type();
        const int number = request.file_containing_extension().extension_number();
        WriteFile(FileOfExtension(type, number), absl::StrCat(type, " ", number), answer);
        break;
      }
      case Request::kAllExtensionNumbersOfType:
        WriteExtensions(request.all_extension_numbers_of_type(), answer);
        break;
      case Request::kListServices:
        for (const std::string& name : names_) {
          answer.mutable_list_services_response()->add_service()->set_name(name);
        }
        break;
      case Request::MESSAGE_REQUEST_NOT_SET:
        answer.mutable_error_response()->set_error_code(grpc::StatusCode::INVALID_ARGUMENT);
        answer.mutable_error_response()->set_error_message("the request asks for nothing");
        break;
    }
    return answer;
  }

  std::vector<std::string> names_;
};

// Learns the names of all services, gRPC's own among them, when the server is complete.
class Plugin final : public grpc::ServerBuilderPlugin {
 public:
  Plugin() {
    // gRPC's library answers health checks without a descriptor of the C++ runtime. This use links
    // ours into every server.
    TERMINUS_CHECK(::grpc::health::v1::HealthCheckRequest::descriptor() != nullptr);
  }

  std::string name() override { return "terminus_reflection"; }
  void InitServer(grpc::ServerInitializer* server) override {
    server->RegisterService(v1_);
    server->RegisterService(v1alpha_);
  }
  void Finish(grpc::ServerInitializer* server) override {
    v1_->SetServices(*server->GetServiceList());
    v1alpha_->SetServices(*server->GetServiceList());
  }
  void ChangeArguments(const std::string& /*name*/, void* /*value*/) override {}

 private:
  const std::shared_ptr<ReflectionService<V1>> v1_ = std::make_shared<ReflectionService<V1>>();
  const std::shared_ptr<ReflectionService<V1Alpha>> v1alpha_ =
      std::make_shared<ReflectionService<V1Alpha>>();
};

class Option final : public grpc::ServerBuilderOption {
 public:
  void UpdateArguments(grpc::ChannelArguments* /*arguments*/) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    plugins->push_back(std::make_unique<Plugin>());
  }
};

}  // namespace

std::unique_ptr<grpc::ServerBuilderOption> ReflectionOption() { return std::make_unique<Option>(); }

}  // namespace terminus::rpc
