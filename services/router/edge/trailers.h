#pragma once

#include <grpcpp/server_context.h>

#include "absl/time/time.h"
#include "common/rpc/context.h"

namespace terminus::services::router::edge {

// The longest that any part of a call took in each stage.
struct Timing {
  absl::Duration queue;
  absl::Duration preprocess;
  absl::Duration compute;
};

// x-request-id and terminus-{queue,preprocess,compute}-ms.
void AddTrailers(const rpc::RequestContext& request, const Timing& timing,
                 grpc::CallbackServerContext& context);

}  // namespace terminus::services::router::edge
