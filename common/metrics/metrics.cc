#include "common/metrics/metrics.h"

#include <prometheus/exposer.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "absl/strings/str_cat.h"
#include "common/base/version.h"
#include "common/metrics/process.h"

namespace terminus::metrics {

std::vector<double> SecondsBuckets() {
  return {1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2,
          0.1,  0.25,   0.5,  1,    2.5,    5,    10,   30,     60};
}

std::vector<double> CountBuckets(double largest) {
  std::vector<double> buckets = {1};
  while (buckets.back() < largest) {
    buckets.push_back(buckets.back() * 2);
  }
  return buckets;
}

Registry::Registry(const std::string& process)
    : registry_(std::make_shared<prometheus::Registry>()),
      process_(std::make_shared<ProcessCollector>()) {
  AddGauge("terminus_build_info", "Constant 1; the labels tell the build.",
           {{"process", process}, {"version", kVersion}})
      .Set(1);
}

Registry::~Registry() = default;

Counter& Registry::AddCounter(const std::string& name, const std::string& help,
                              const Labels& labels) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(*registry_).Add(labels);
}

Gauge& Registry::AddGauge(const std::string& name, const std::string& help, const Labels& labels) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(*registry_).Add(labels);
}

Histogram& Registry::AddHistogram(const std::string& name, const std::string& help,
                                  const std::vector<double>& buckets, const Labels& labels) {
  return prometheus::BuildHistogram()
      .Name(name)
      .Help(help)
      .Register(*registry_)
      .Add(labels, buckets);
}

std::string Registry::Scrape() const {
  std::vector<prometheus::MetricFamily> families = registry_->Collect();
  for (prometheus::MetricFamily& family : process_->Collect()) {
    families.push_back(std::move(family));
  }
  return prometheus::TextSerializer().Serialize(families);
}

Exposer::Exposer() = default;
Exposer::~Exposer() = default;

absl::StatusOr<std::unique_ptr<Exposer>> Exposer::Start(const std::string& address,
                                                        const Registry& registry) {
  auto exposer = std::unique_ptr<Exposer>(new Exposer());
  try {
    // Each idle connection holds a thread until it times out; a scrape must still get through.
    exposer->exposer_ = std::make_unique<prometheus::Exposer>(
        std::vector<std::string>{"listening_ports", address, "num_threads", "4",
                                 "request_timeout_ms", "5000", "keep_alive_timeout_ms", "500"});
  } catch (const std::exception& error) {
    return absl::AlreadyExistsError(
        absl::StrCat("cannot serve metrics on ", address, ": ", error.what()));
  }
  exposer->exposer_->RegisterCollectable(registry.registry_);
  exposer->exposer_->RegisterCollectable(registry.process_);
  const std::vector<int> ports = exposer->exposer_->GetListeningPorts();
  exposer->address_ =
      ports.empty() ? address : absl::StrCat(address.substr(0, address.rfind(':')), ":", ports[0]);
  return exposer;
}

}  // namespace terminus::metrics
