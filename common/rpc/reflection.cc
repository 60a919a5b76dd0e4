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
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"

namespace terminus::rpc {
namespace {

namespace reflection = ::grpc::reflection::v1alpha;

void WriteError(const std::string& message, reflection::ServerReflectionResponse& answer) {
  answer.mutable_error_response()->set_error_code(grpc::StatusCode::NOT_FOUND);
  answer.mutable_error_response()->set_error_message(message);
}

// The file and all that it imports, each once.
void AddFiles(const google::protobuf::FileDescriptor& file, std::set<std::string>& seen,
              reflection::FileDescriptorResponse& files) {
  if (!seen.insert(file.name()).second) {
    return;
  }
  google::protobuf::FileDescriptorProto proto;
  file.CopyTo(&proto);
  files.add_file_descriptor_proto(proto.SerializeAsString());
  for (int i = 0; i < file.dependency_count(); ++i) {
    AddFiles(*file.dependency(i), seen, files);
  }
}

void WriteFile(const google::protobuf::FileDescriptor* file, const std::string& asked,
               reflection::ServerReflectionResponse& answer) {
  if (file == nullptr) {
    WriteError(absl::StrCat("nothing known of '", asked, "'"), answer);
    return;
  }
  std::set<std::string> seen;
  AddFiles(*file, seen, *answer.mutable_file_descriptor_response());
}

void WriteExtensions(const std::string& type, reflection::ServerReflectionResponse& answer) {
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

const google::protobuf::FileDescriptor* FileOfExtension(const reflection::ExtensionRequest& asked) {
  const auto* pool = google::protobuf::DescriptorPool::generated_pool();
  const google::protobuf::Descriptor* message =
      pool->FindMessageTypeByName(asked.containing_type());
  const google::protobuf::FieldDescriptor* extension =
      message == nullptr ? nullptr : pool->FindExtensionByNumber(message, asked.extension_number());
  return extension == nullptr ? nullptr : extension->file();
}

class ReflectionService final : public reflection::ServerReflection::CallbackService {
 public:
  using Request = reflection::ServerReflectionRequest;
  using Response = reflection::ServerReflectionResponse;

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
    explicit Call(const ReflectionService& service) : service_(service) { StartRead(&request_); }

    void OnReadDone(bool ok) override {
      if (!ok) {
        Finish(grpc::Status::OK);
        return;
      }
      response_ = service_.Answer(request_);
      StartWrite(&response_);
    }
    void OnWriteDone(bool ok) override {
      if (!ok) {
        Finish(grpc::Status::CANCELLED);
        return;
      }
      StartRead(&request_);
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
        const auto& asked = request.file_containing_extension();
        WriteFile(FileOfExtension(asked),
                  absl::StrCat(asked.containing_type(), " ", asked.extension_number()), answer);
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
  std::string name() override { return "terminus_reflection"; }
  void InitServer(grpc::ServerInitializer* server) override { server->RegisterService(service_); }
  void Finish(grpc::ServerInitializer* server) override {
    service_->SetServices(*server->GetServiceList());
  }
  void ChangeArguments(const std::string& /*name*/, void* /*value*/) override {}

 private:
  const std::shared_ptr<ReflectionService> service_ = std::make_shared<ReflectionService>();
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
