#pragma once

#include <google/protobuf/empty.pb.h>
#include <google/protobuf/wrappers.pb.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/client_callback.h>

#include <functional>
#include <memory>
#include <string>

#include "services/router/discovery/replica_state.h"

namespace terminus::services::router::discovery {

// One Watch call of grpc.health.v1 on a replica, so that its end is noticed the moment it happens.
//
// Debian ships neither the proto nor generated code of that service, so the call is made through
// the generic stub with two messages of the same wire format: HealthCheckRequest without a service
// is empty, and HealthCheckResponse is one varint in field 1, as Int32Value is.
class HealthWatch final
    : public grpc::ClientBidiReactor<google::protobuf::Empty, google::protobuf::Int32Value> {
 public:
  // kServing and kNotServing as the replica says them, kLost with the reason as the last.
  using Report = std::function<void(Event event, std::string detail)>;

  // The watch lives until it has reported kLost; the caller may let go of it before. `report` is
  // called from gRPC's threads, one call at a time.
  static std::shared_ptr<HealthWatch> Start(const std::shared_ptr<grpc::Channel>& channel,
                                            Report report);

  // Ends it soon. Thread-safe.
  void Cancel() { context_.TryCancel(); }

  void OnReadDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

 private:
  HealthWatch(const std::shared_ptr<grpc::Channel>& channel, Report report)
      : stub_(channel), report_(std::move(report)) {}

  grpc::TemplatedGenericStub<google::protobuf::Empty, google::protobuf::Int32Value> stub_;
  const Report report_;
  grpc::ClientContext context_;
  google::protobuf::Empty request_;
  google::protobuf::Int32Value response_;
  // Itself, while gRPC may still call it.
  std::shared_ptr<HealthWatch> self_;
};

}  // namespace terminus::services::router::discovery
