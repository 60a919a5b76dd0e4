#include "services/router/edge/trailers.h"

#include <string>

#include "absl/strings/str_format.h"

namespace terminus::services::router::edge {
namespace {

std::string Milliseconds(absl::Duration duration) {
  return absl::StrFormat("%.3f", absl::ToDoubleMilliseconds(duration));
}

}  // namespace

void AddTrailers(const rpc::RequestContext& request, const Timing& timing,
                 grpc::CallbackServerContext& context) {
  context.AddTrailingMetadata("x-request-id", request.request_id);
  context.AddTrailingMetadata("terminus-queue-ms", Milliseconds(timing.queue));
  context.AddTrailingMetadata("terminus-preprocess-ms", Milliseconds(timing.preprocess));
  context.AddTrailingMetadata("terminus-compute-ms", Milliseconds(timing.compute));
}

}  // namespace terminus::services::router::edge
