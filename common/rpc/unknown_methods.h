#pragma once

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/impl/server_builder_option.h>

#include <memory>
#include <string>
#include <vector>

namespace terminus::rpc {

// Answers calls of methods that no service of the server has: UNIMPLEMENTED with the reason
// UNKNOWN_METHOD and the nearest method that there is. gRPC's own answer has no google.rpc details.
// Thread-safe once the server runs. Must outlive the server.
class UnknownMethods final : public grpc::CallbackGenericService {
 public:
  // For ServerBuilder::SetOption: registers this with the server, and learns the server's services.
  std::unique_ptr<grpc::ServerBuilderOption> Option();

  // `services` are full names, such as "terminus.v1.Embedding".
  void SetServices(std::vector<std::string> services) { services_ = std::move(services); }

  // What a call of `method`, such as "/terminus.v1.Embedding/Embd", is told.
  std::string Message(const std::string& method) const;

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override;

 private:
  std::vector<std::string> services_;
};

}  // namespace terminus::rpc
