#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/bounded_queue.h"
#include "common/base/mutex.h"
#include "common/metrics/metrics.h"
#include "services/router/discovery/catalog.h"
#include "services/router/discovery/model_switch.h"
#include "services/router/discovery/replica_link.h"
#include "services/router/discovery/replica_state.h"
#include "services/router/discovery/resolver.h"
#include "services/router/dispatch/decoder_pool.h"
#include "services/router/dispatch/pool.h"
#include "terminus/v1/cluster.pb.h"

namespace terminus::services::router::discovery {

// A service and where its replicas are to be found.
struct ServiceSpec {
  // "text", "vision", "video" or "decoder".
  std::string name;
  // What an encoder takes; unspecified for the decoder.
  v1::Modality modality = v1::MODALITY_UNSPECIFIED;
  // Addresses of replicas, or DNS targets with one replica behind each address.
  std::vector<std::string> targets;
  // Where its ready replicas go: an encoder's or the decoder's. Must outlive the discovery.
  dispatch::Pool* pool = nullptr;
  dispatch::DecoderPool* decoders = nullptr;
  // Counts its ready replicas that serve nothing; may be null. Must outlive the discovery.
  metrics::Gauge* idle = nullptr;
};

struct DiscoveryOptions {
  std::vector<ServiceSpec> services;
  // Between two looks at a replica that is not ready, and the patience with one look.
  absl::Duration interval = absl::Milliseconds(500);
  absl::Duration timeout = absl::Seconds(2);
  // Between two look-ups of a DNS target.
  absl::Duration resolve_interval = absl::Seconds(5);
  // How a DNS target is looked up; may block. Called from a thread of its own.
  std::function<absl::StatusOr<std::vector<std::string>>(const std::string&)> resolve =
      ResolveDnsTarget;
  int64_t max_message_bytes = 64 << 20;
  // Called from the discovery's thread whenever the answer changes to "does every service have a
  // ready replica?". May be null.
  std::function<void(bool)> on_ready_change;
};

// Finds replicas, learns what they are, watches their health, and keeps the pools and the catalog
// up to date. All decisions are made by one thread of its own, from messages that the calls' and
// resolver's threads post to it.
//
// One space for all: the first replica that is accepted defines it, but text wins: a text replica
// of another space takes over as long as no other text replica is accepted. Once Switch was called,
// what it said holds instead: a replica of another space is refused.
//
// A replica without a model is idle: the bundle has no part for its service, or the model was
// unloaded. It counts as ready and gets no calls. A modality of which every replica is idle is one
// that the served model lacks.
class Discovery {
 public:
  // Starts at once. The catalog must outlive it.
  Discovery(const DiscoveryOptions& options, Catalog* catalog);
  ~Discovery();

  // Every replica in the order of the services; what is outstanding comes from the pools.
  std::vector<v1::ReplicaStatus> replicas() const;
  bool ready() const;

  // The replicas whose model can be changed.
  std::vector<Host> hosts() const;

  // Makes another model the one that is served, or none; returns once the catalog says so. Calls
  // that were checked against the old one go on: replicas that have nothing any more are kept until
  // Settle. Both must not run while this is being destroyed.
  void Switch(ModelSwitch change);
  // The old model is not used any more.
  void Settle();

 private:
  struct Replica {
    uint64_t id = 0;
    const ServiceSpec* service = nullptr;
    // The DNS target it came from; empty for an address of its own.
    std::string target;
    std::string address;
    State state = State::kConnecting;
    std::string detail = "not connected yet";
    // Whether it is in its pool.
    bool published = false;
    // The last one; of the served space while it is accepted.
    v1::DescribeResponse description;
    v1::DecoderDescribeResponse decoder;
    std::unique_ptr<ReplicaLink> link;
    // When to ask it next; never while an answer is awaited or its health is watched.
    absl::Time describe_at = absl::InfinitePast();
  };

  // What a DNS target led to.
  struct Resolution {
    const ServiceSpec* service;
    std::string target;
    std::vector<std::string> addresses;
  };

  struct Message {
    // Of a replica ...
    uint64_t replica = 0;
    LinkReport report;
    // ... or of the resolver ...
    std::optional<Resolution> resolution;
    // ... or of another thread, which waits until it has run here.
    std::function<void()> run;
  };

  void Run();
  void Handle(Message& message);
  void HandleReport(Replica& replica, LinkReport& report);
  // Whether a replica's description fits, or why not; may change the served model, and refuse
  // others by it.
  Event Judge(const Replica& replica, std::string& detail);
  Event JudgeIdle(const Replica& replica, std::string& detail);
  void Adopt(const Replica& replica);
  // The modalities that only idle replicas are there for. `newcomer` counts as accepted.
  std::vector<v1::Modality> Lacks(const Replica& newcomer) const;
  void Apply(Replica& replica, Event event, std::string detail);
  void Publish(Replica& replica);
  static void Withdraw(Replica& replica);
  static void Redescribe(Replica& replica, ModelSwitch::Replica& changed);
  void ApplySwitch(ModelSwitch& change);
  void ApplySettle();
  // Runs on the discovery's thread; returns when it has.
  void RunThere(const std::function<void()>& body);
  void HandleResolution(const Resolution& resolution);
  void Add(const ServiceSpec& service, const std::string& target, const std::string& address);
  void DescribeWhatIsDue(absl::Time now);
  absl::Time NextDue() const;
  void UpdateView();

  void RunResolver();

  const DiscoveryOptions options_;
  Catalog* const catalog_;

  // Used by the discovery's thread only.
  std::list<Replica> replicas_;
  uint64_t last_id_ = 0;
  // Switch was called.
  bool pinned_ = false;

  // Shared with the pools, which may report a loss while this is being destroyed.
  const std::shared_ptr<base::BoundedQueue<Message>> mailbox_;
  mutable base::Mutex mutex_;
  base::CondVar stop_changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<v1::ReplicaStatus> view_ ABSL_GUARDED_BY(mutex_);
  std::vector<Host> hosts_ ABSL_GUARDED_BY(mutex_);
  bool ready_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread resolver_;
  std::thread thread_;
};

}  // namespace terminus::services::router::discovery
