#include "common/serving/serving_metrics.h"

namespace terminus::serving {

ServingMetrics::ServingMetrics(metrics::Registry& registry)
    : batch_items(registry.AddHistogram("terminus_encoder_batch_items", "Items in a batch.",
                                        metrics::CountBuckets(256))),
      preprocess_seconds(
          registry.AddHistogram("terminus_encoder_preprocess_seconds",
                                "Time a batch spent being tokenised, or decoded and resized.",
                                metrics::SecondsBuckets())),
      wait_seconds(registry.AddHistogram("terminus_encoder_wait_seconds",
                                         "Time a prepared batch waited for the device.",
                                         metrics::SecondsBuckets())),
      compute_seconds(registry.AddHistogram("terminus_encoder_compute_seconds",
                                            "Time a batch spent on the device.",
                                            metrics::SecondsBuckets())),
      batch_seconds(registry.AddHistogram("terminus_encoder_batch_seconds",
                                          "Time from a batch's arrival to its answer.",
                                          metrics::SecondsBuckets())),
      refused_batches(registry.AddCounter("terminus_encoder_refused_batches_total",
                                          "Batches refused over max_in_flight.")),
      ready(
          registry.AddGauge("terminus_encoder_ready",
                            "1 once the model is loaded and its golden vectors came out right, or "
                            "the bundle has nothing for this service.")) {
  for (int code = 0; code < kCodes; ++code) {
    const auto name = absl::StatusCodeToString(static_cast<absl::StatusCode>(code));
    items_[code] = &registry.AddCounter("terminus_encoder_items_total",
                                        "Items answered, by status code.", {{"code", name}});
  }
}

void ServingMetrics::CountItem(int code) {
  items_[code >= 0 && code < kCodes ? code : static_cast<int>(absl::StatusCode::kUnknown)]
      ->Increment();
}

}  // namespace terminus::serving
