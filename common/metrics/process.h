#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <vector>

namespace terminus::metrics {

// The process_* metrics that every Prometheus client library offers, read from /proc at each
// scrape: CPU seconds, resident memory, open file descriptors, threads and start time.
class ProcessCollector : public prometheus::Collectable {
 public:
  std::vector<prometheus::MetricFamily> Collect() const override;
};

}  // namespace terminus::metrics
