#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace prometheus {
class Collectable;
class Exposer;
class Registry;
}  // namespace prometheus

// Prometheus metrics. Names follow its convention: terminus_ prefix, base units, _total counters.
namespace terminus::metrics {

// Few values each: every combination is a time series for ever.
using Labels = std::map<std::string, std::string>;

using Counter = prometheus::Counter;
using Gauge = prometheus::Gauge;
using Histogram = prometheus::Histogram;

// Buckets in seconds, 100 µs to 60 s.
std::vector<double> SecondsBuckets();
// Powers of two, 1 to `largest` at least.
std::vector<double> CountBuckets(double largest);

// Owns all metrics of a process. Thread-safe; asking again with the same name and labels gives the
// same metric. What it returns lives as long as the registry.
class Registry {
 public:
  // Also registers terminus_build_info{process} and the process_* metrics.
  explicit Registry(const std::string& process);
  ~Registry();

  Counter& AddCounter(const std::string& name, const std::string& help, const Labels& labels = {});
  Gauge& AddGauge(const std::string& name, const std::string& help, const Labels& labels = {});
  Histogram& AddHistogram(const std::string& name, const std::string& help,
                          const std::vector<double>& buckets, const Labels& labels = {});

  // The text that a scrape gets.
  std::string Scrape() const;

 private:
  friend class Exposer;
  std::shared_ptr<prometheus::Registry> registry_;
  std::shared_ptr<prometheus::Collectable> process_;
};

// Observes a duration in seconds.
inline void Observe(Histogram& histogram, absl::Duration duration) {
  histogram.Observe(absl::ToDoubleSeconds(duration));
}

// Serves GET /metrics over HTTP for as long as it lives.
class Exposer {
 public:
  // `address` is host:port; port 0 takes a free one. The registry must outlive the exposer.
  static absl::StatusOr<std::unique_ptr<Exposer>> Start(const std::string& address,
                                                        const Registry& registry);
  // Takes no scrape any more when it returns, which is soon.
  ~Exposer();

  // host:port as it is reached.
  const std::string& address() const { return address_; }

 private:
  Exposer();
  std::unique_ptr<prometheus::Exposer> exposer_;
  std::string address_;
};

}  // namespace terminus::metrics
