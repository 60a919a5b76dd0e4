#include "common/metrics/metrics.h"

#include <netdb.h>
#include <prometheus/exposer.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <future>

#include "absl/strings/str_cat.h"
#include "common/base/version.h"
#include "common/metrics/process.h"

namespace terminus::metrics {
namespace {

// Connects to a numeric host:port and leaves at once, if that is possible.
void Touch(const std::string& address) {
  std::string host = address.substr(0, address.rfind(':'));
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  const addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), address.c_str() + address.rfind(':') + 1, &hints, &found) != 0) {
    return;
  }
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd >= 0) {
    connect(fd, found->ai_addr, found->ai_addrlen);
    close(fd);
  }
  freeaddrinfo(found);
}

}  // namespace

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

// CivetWeb's acceptor looks whether it shall stop when a connection comes, else every two seconds.
Exposer::~Exposer() {
  if (exposer_ == nullptr) {
    return;
  }
  const std::future<void> stopped = std::async(std::launch::async, [this] { exposer_.reset(); });
  do {
    Touch(address_);
  } while (stopped.wait_for(std::chrono::milliseconds(10)) != std::future_status::ready);
}

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
