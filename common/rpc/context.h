#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/server_context.h>

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace terminus::rpc {

// Metadata of a call to a decoder: the space that it belongs to.
inline constexpr char kSpaceIdKey[] = "terminus-space-id";

// What goes with a request through every hop.
struct RequestContext {
  // The client's x-request-id when it is at most 128 printable characters, else a new one.
  std::string request_id;
  // W3C Trace Context; empty when the client sent none or an invalid one.
  std::string traceparent;
  // The client's, or now plus the default when it gave none.
  absl::Time deadline;
};

RequestContext ContextOf(const grpc::CallbackServerContext& context,
                         absl::Duration default_deadline);

// Sets deadline, x-request-id and traceparent on a call made on behalf of the request.
void Propagate(const RequestContext& request, grpc::ClientContext* context);

// 00-<32 hex>-<16 hex>-<2 hex>, lower case, ids not all zero.
bool IsTraceparent(absl::string_view value);
bool IsRequestId(absl::string_view value);

// 32 random hexadecimal digits.
std::string NewRequestId();

}  // namespace terminus::rpc
