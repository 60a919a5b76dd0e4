#include "services/router/edge/edge_metrics.h"

namespace terminus::services::router::edge {

MethodMetrics::MethodMetrics(metrics::Registry& registry, const std::string& method)
    : seconds_(registry.AddHistogram(
          "terminus_router_request_seconds",
          "Time from a request's arrival to its answer; of a stream, an item's",
          metrics::SecondsBuckets(), {{"method", method}})) {
  for (int code = 0; code < kCodes; ++code) {
    const metrics::Labels labels = {
        {"method", method},
        {"code", absl::StatusCodeToString(static_cast<absl::StatusCode>(code))}};
    calls_[code] = &registry.AddCounter("terminus_router_calls_total",
                                        "Calls answered, by their status code", labels);
    items_[code] = &registry.AddCounter("terminus_router_items_total",
                                        "Items answered, by their own status code", labels);
  }
}

}  // namespace terminus::services::router::edge
