#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"
#include "google/rpc/status.pb.h"

// The one translation between absl::Status and the wire. What common/base/errors.h attached to a
// status becomes google.rpc details: a reason an ErrorInfo of domain "terminus", a field a
// BadRequest violation, a retry delay a RetryInfo. The way back restores them.
namespace terminus::rpc {

inline constexpr char kErrorDomain[] = "terminus";

void ToProto(const absl::Status& status, google::rpc::Status* proto);
absl::Status FromProto(const google::rpc::Status& proto);

// The details travel in the trailer grpc-status-details-bin, where every gRPC client finds them.
grpc::Status ToGrpc(const absl::Status& status);
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace terminus::rpc
