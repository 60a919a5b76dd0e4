#include "common/rpc/unknown_methods.h"

#include <google/protobuf/descriptor.h>
#include <grpcpp/impl/server_builder_plugin.h>
#include <grpcpp/impl/server_initializer.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/errors.h"
#include "common/base/nearest.h"
#include "common/rpc/status.h"

namespace terminus::rpc {
namespace {

// A longer name is cut in the message and not compared with others: both cost what the caller asks
// for, and trailers hold 8 KiB.
constexpr size_t kMaxNameBytes = 200;

// Ends a call without reading it.
class Refusal final : public grpc::ServerGenericBidiReactor {
 public:
  explicit Refusal(const absl::Status& status) { Finish(ToGrpc(status)); }
  void OnDone() override { delete this; }
};

class Plugin final : public grpc::ServerBuilderPlugin {
 public:
  explicit Plugin(UnknownMethods* service) : service_(service) {}

  std::string name() override { return "terminus_unknown_methods"; }
  void UpdateServerBuilder(grpc::ServerBuilder* builder) override {
    builder->RegisterCallbackGenericService(service_);
  }
  void InitServer(grpc::ServerInitializer* /*server*/) override {}
  void Finish(grpc::ServerInitializer* server) override {
    service_->SetServices(*server->GetServiceList());
  }
  void ChangeArguments(const std::string& /*name*/, void* /*value*/) override {}

 private:
  UnknownMethods* const service_;
};

class PluginOption final : public grpc::ServerBuilderOption {
 public:
  explicit PluginOption(UnknownMethods* service) : service_(service) {}

  void UpdateArguments(grpc::ChannelArguments* /*arguments*/) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    plugins->push_back(std::make_unique<Plugin>(service_));
  }

 private:
  UnknownMethods* const service_;
};

std::vector<std::string> MethodsOf(const std::vector<std::string>& services) {
  std::vector<std::string> methods;
  for (const std::string& name : services) {
    const auto* service =
        google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(name);
    for (int i = 0; service != nullptr && i < service->method_count(); ++i) {
      methods.push_back(absl::StrCat("/", name, "/", service->method(i)->name()));
    }
  }
  return methods;
}

}  // namespace

std::unique_ptr<grpc::ServerBuilderOption> UnknownMethods::Option() {
  return std::make_unique<PluginOption>(this);
}

std::string UnknownMethods::Message(const std::string& method) const {
  if (method.size() > kMaxNameBytes) {
    return absl::StrCat("there is no method ", method.substr(0, kMaxNameBytes), "…");
  }
  std::string service = method.substr(0, method.rfind('/'));
  service.erase(0, service.find_first_not_of('/'));
  const bool known = std::find(services_.begin(), services_.end(), service) != services_.end();
  const std::string nearest =
      base::Nearest(method, MethodsOf(known ? std::vector{service} : services_));
  return absl::StrCat(
      "there is no method ", method,
      nearest.empty() ? "" : absl::StrCat("; the nearest is ", nearest),
      known ? "" : absl::StrCat("; the services are ", absl::StrJoin(services_, ", ")));
}

grpc::ServerGenericBidiReactor* UnknownMethods::CreateReactor(
    grpc::GenericCallbackServerContext* context) {
  return new Refusal(base::MakeError(absl::StatusCode::kUnimplemented, base::kReasonUnknownMethod,
                                     Message(context->method())));
}

}  // namespace terminus::rpc
