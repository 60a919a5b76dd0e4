#include "services/router/discovery/discovery.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/log.h"
#include "services/router/discovery/space.h"

namespace terminus::services::router::discovery {
namespace {

// Each replica has few messages under way: more than any cluster can fill, so that a push fails
// only when the discovery is being destroyed.
constexpr size_t kMailboxCapacity = 1 << 16;

v1::ReplicaState WireState(State state) {
  switch (state) {
    case State::kConnecting:
      return v1::REPLICA_STATE_CONNECTING;
    case State::kLoading:
    case State::kVerified:
      return v1::REPLICA_STATE_LOADING;
    case State::kReady:
      return v1::REPLICA_STATE_READY;
    case State::kRefused:
      return v1::REPLICA_STATE_REFUSED;
  }
  return v1::REPLICA_STATE_UNSPECIFIED;
}

}  // namespace

Discovery::Discovery(const DiscoveryOptions& options, Catalog* catalog)
    : options_(options),
      catalog_(catalog),
      mailbox_(std::make_shared<base::BoundedQueue<Message>>(kMailboxCapacity)) {
  bool resolves = false;
  for (const ServiceSpec& service : options_.services) {
    for (const std::string& target : service.targets) {
      if (IsDnsTarget(target)) {
        resolves = true;
      } else {
        Add(service, "", target);
      }
    }
  }
  UpdateView();
  if (resolves) {
    resolver_ = std::thread([this] { RunResolver(); });
  }
  thread_ = std::thread([this] { Run(); });
}

Discovery::~Discovery() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
  }
  stop_changed_.NotifyAll();
  mailbox_->Close();
  thread_.join();
  if (resolver_.joinable()) {
    resolver_.join();
  }
  for (Replica& replica : replicas_) {
    Withdraw(replica);
  }
  // Each waits for its calls, which may still post: before the mailbox goes.
  replicas_.clear();
}

void Discovery::Run() {
  while (true) {
    {
      base::MutexLock lock(mutex_);
      if (stopping_) {
        return;
      }
    }
    DescribeWhatIsDue(absl::Now());
    if (std::optional<Message> message = mailbox_->Pop(NextDue())) {
      Handle(*message);
      UpdateView();
    }
  }
}

void Discovery::Handle(Message& message) {
  if (message.run) {
    message.run();
    return;
  }
  if (message.resolution.has_value()) {
    HandleResolution(*message.resolution);
    return;
  }
  for (Replica& replica : replicas_) {
    if (replica.id == message.replica && replica.link->epoch() == message.report.epoch) {
      HandleReport(replica, message.report);
      return;
    }
  }
}

void Discovery::HandleReport(Replica& replica, LinkReport& report) {
  Event event = report.event;
  if (event == Event::kAccepted) {
    replica.description = std::move(report.description);
    replica.decoder = std::move(report.decoder);
    event = Judge(replica, report.detail);
  }
  Apply(replica, event, std::move(report.detail));
}

void Discovery::Apply(Replica& replica, Event event, std::string detail) {
  const Step step = Advance(replica.state, event);
  if (step.next != replica.state) {
    base::LogInfo(absl::StrCat(replica.service->name, " replica ", replica.address, ": ",
                               StateName(step.next), detail.empty() ? "" : ": ", detail));
  }
  replica.state = step.next;
  replica.detail = step.next == State::kReady ? "" : std::move(detail);
  switch (step.action) {
    case Action::kNone:
      break;
    case Action::kDescribeLater:
      replica.describe_at = absl::Now() + options_.interval;
      break;
    case Action::kWatch:
      replica.link->Watch();
      break;
    case Action::kPublish:
      Publish(replica);
      break;
    case Action::kStartOver:
      Withdraw(replica);
      replica.link->StartOver();
      replica.describe_at = absl::Now() + options_.interval;
      break;
  }
}

void Discovery::Publish(Replica& replica) {
  if (replica.published || !HasModel(replica.description)) {
    return;
  }
  replica.published = true;
  auto on_lost = [mailbox = mailbox_, id = replica.id, epoch = replica.link->epoch()] {
    mailbox->TryPush(
        {.replica = id,
         .report = {.epoch = epoch, .event = Event::kLost, .detail = "a call found it gone"}});
  };
  if (replica.service->decoders != nullptr) {
    replica.service->decoders->AddReplica({
        .address = replica.address,
        .stub = v1::Decoder::NewStub(replica.link->channel()),
        .space_ids = {replica.description.space_id()},
        .on_lost = std::move(on_lost),
    });
    return;
  }
  replica.service->pool->AddReplica({
      .address = replica.address,
      .sender = std::make_shared<dispatch::GrpcBatchSender>(replica.link->channel()),
      .max_in_flight = static_cast<int>(replica.description.max_in_flight()),
      .on_lost = std::move(on_lost),
  });
}

void Discovery::Withdraw(Replica& replica) {
  replica.published = false;
  if (replica.service->decoders != nullptr) {
    replica.service->decoders->RemoveReplica(replica.address);
  } else {
    replica.service->pool->RemoveReplica(replica.address);
  }
}

void Discovery::Add(const ServiceSpec& service, const std::string& target,
                    const std::string& address) {
  Replica& replica = replicas_.emplace_back();
  replica.id = ++last_id_;
  replica.service = &service;
  replica.target = target;
  replica.address = address;
  const ReplicaKind kind =
      service.decoders != nullptr ? ReplicaKind::kDecoder : ReplicaKind::kEncoder;
  replica.link = std::make_unique<ReplicaLink>(
      kind, address, options_.max_message_bytes, [this, id = replica.id](LinkReport report) {
        mailbox_->TryPush({.replica = id, .report = std::move(report)});
      });
}

void Discovery::HandleResolution(const Resolution& resolution) {
  const auto& addresses = resolution.addresses;
  for (auto it = replicas_.begin(); it != replicas_.end();) {
    if (it->service == resolution.service && it->target == resolution.target &&
        !std::binary_search(addresses.begin(), addresses.end(), it->address)) {
      base::LogInfo(
          absl::StrCat(it->service->name, " replica ", it->address, ": gone from ", it->target));
      Withdraw(*it);
      it = replicas_.erase(it);
    } else {
      ++it;
    }
  }
  for (const std::string& address : addresses) {
    const bool known = std::any_of(replicas_.begin(), replicas_.end(), [&](const Replica& other) {
      return other.service == resolution.service && other.address == address;
    });
    if (!known) {
      Add(*resolution.service, resolution.target, address);
    }
  }
}

void Discovery::DescribeWhatIsDue(absl::Time now) {
  for (Replica& replica : replicas_) {
    if (replica.describe_at <= now) {
      replica.describe_at = absl::InfiniteFuture();
      replica.link->Describe(options_.timeout);
    }
  }
}

absl::Time Discovery::NextDue() const {
  absl::Time due = absl::InfiniteFuture();
  for (const Replica& replica : replicas_) {
    due = std::min(due, replica.describe_at);
  }
  return due;
}

void Discovery::RunResolver() {
  while (true) {
    for (const ServiceSpec& service : options_.services) {
      for (const std::string& target : service.targets) {
        if (!IsDnsTarget(target)) {
          continue;
        }
        absl::StatusOr<std::vector<std::string>> addresses = options_.resolve(target);
        if (addresses.ok()) {
          mailbox_->TryPush({.resolution = Resolution{&service, target, *std::move(addresses)}});
        } else {
          // What was found before stays: a resolver that fails must not stop the cluster.
          base::LogWarning(std::string(addresses.status().message()));
        }
      }
    }
    const absl::Time next = absl::Now() + options_.resolve_interval;
    base::MutexLock lock(mutex_);
    while (!stopping_ && absl::Now() < next) {
      stop_changed_.WaitUntil(mutex_, next);
    }
    if (stopping_) {
      return;
    }
  }
}

void Discovery::UpdateView() {
  std::vector<v1::ReplicaStatus> view;
  std::vector<Host> hosts;
  bool ready = true;
  for (const ServiceSpec& service : options_.services) {
    bool any = false;
    int idle = 0;
    for (const Replica& replica : replicas_) {
      if (replica.service != &service) {
        continue;
      }
      any |= replica.state == State::kReady;
      const bool is_idle = replica.state == State::kReady && !HasModel(replica.description);
      idle += is_idle ? 1 : 0;
      v1::ReplicaStatus& status = view.emplace_back();
      status.set_service(service.name);
      status.set_address(replica.address);
      status.set_state(WireState(replica.state));
      status.set_detail(replica.detail);
      status.set_device(replica.description.device());
      status.set_metrics_address(replica.description.metrics_address());
      status.set_version(replica.description.version());
      status.set_idle(is_idle);
      const bool described = IsAccepted(replica.state) || replica.state == State::kRefused;
      if (described && CheckKind(replica.description, service.modality).ok()) {
        hosts.push_back({.service = service.name,
                         .modality = service.modality,
                         .address = replica.address,
                         .channel = replica.link->channel(),
                         .accepted = IsAccepted(replica.state),
                         .space_id = replica.description.space_id()});
      }
    }
    ready &= any;
    if (service.idle != nullptr) {
      service.idle->Set(idle);
    }
  }
  bool changed = false;
  {
    base::MutexLock lock(mutex_);
    changed = ready != ready_;
    ready_ = ready;
    view_ = std::move(view);
    hosts_.swap(hosts);
  }
  if (changed && options_.on_ready_change) {
    options_.on_ready_change(ready);
  }
}

std::vector<v1::ReplicaStatus> Discovery::replicas() const {
  std::vector<v1::ReplicaStatus> replicas;
  {
    base::MutexLock lock(mutex_);
    replicas = view_;
  }
  for (v1::ReplicaStatus& status : replicas) {
    for (const ServiceSpec& service : options_.services) {
      if (service.name != status.service()) {
        continue;
      }
      const auto load = service.decoders != nullptr ? service.decoders->load(status.address())
                                                    : service.pool->load(status.address());
      if (load) {
        status.set_outstanding_batches(load->outstanding_batches);
        status.set_outstanding_cost(load->outstanding_cost);
      }
    }
  }
  return replicas;
}

bool Discovery::ready() const {
  base::MutexLock lock(mutex_);
  return ready_;
}

}  // namespace terminus::services::router::discovery
