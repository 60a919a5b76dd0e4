#pragma once

#include <grpcpp/impl/server_builder_option.h>

#include <memory>

namespace terminus::rpc {

// For ServerBuilder::SetOption: the server answers grpc.reflection.v1 and v1alpha about all its
// services, grpc.health.v1 included, as far as their descriptors are linked into this process.
//
// gRPC's own plug-in does the same with blocking handlers, for which the server keeps a thread in
// its polling loop. That thread may take the events of other calls off the wire, and must then wake
// a callback thread for each. This one needs no thread.
std::unique_ptr<grpc::ServerBuilderOption> ReflectionOption();

}  // namespace terminus::rpc
