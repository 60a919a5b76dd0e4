#pragma once

#include <array>

#include "absl/status/status.h"
#include "common/metrics/metrics.h"

namespace terminus::serving {

// What every encoder process measures.
class ServingMetrics {
 public:
  explicit ServingMetrics(metrics::Registry& registry);

  metrics::Histogram& batch_items;
  metrics::Histogram& preprocess_seconds;
  // From the end of preprocessing to the start of compute.
  metrics::Histogram& wait_seconds;
  metrics::Histogram& compute_seconds;
  // From the arrival of the batch to its answer.
  metrics::Histogram& batch_seconds;
  metrics::Counter& refused_batches;
  metrics::Gauge& ready;

  // `code` as google.rpc.Code numbers it; unknown ones count as UNKNOWN.
  void CountItem(int code);

 private:
  static constexpr int kCodes = 17;
  std::array<metrics::Counter*, kCodes> items_;
};

}  // namespace terminus::serving
