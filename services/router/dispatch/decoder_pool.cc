#include "services/router/dispatch/decoder_pool.h"

#include <algorithm>
#include <utility>

#include "common/base/errors.h"

namespace terminus::services::router::dispatch {

DecoderPool::DecoderPool(const DecoderPoolOptions& options, metrics::Registry& registry)
    : options_(options),
      ready_(registry.AddGauge("terminus_router_replicas_ready",
                               "Replicas that batches are sent to", {{"service", "decoder"}})),
      pinned_(registry.AddGauge("terminus_router_decoder_requests",
                                "Requests that a decoder replica has, waiting or running")) {}

DecoderPool::~DecoderPool() { Close(); }

void DecoderPool::Close() {
  base::MutexLock lock(mutex_);
  closed_ = true;
  while (leases_ > 0) {
    quiet_.Wait(mutex_);
  }
}

absl::StatusOr<DecoderPool::Lease> DecoderPool::Pin(const std::string& space_id) {
  base::MutexLock lock(mutex_);
  std::shared_ptr<Replica> best;
  for (const auto& replica : replicas_) {
    const std::vector<std::string>& spaces = replica->spec.space_ids;
    if (closed_ || std::find(spaces.begin(), spaces.end(), space_id) == spaces.end()) {
      continue;
    }
    const auto rank = [](const Replica& one) {
      return std::make_pair(one.load.outstanding_batches, one.load.last_sent);
    };
    if (best == nullptr || rank(*replica) < rank(*best)) {
      best = replica;
    }
  }
  if (best == nullptr) {
    return base::WithRetryDelay(
        base::MakeError(absl::StatusCode::kUnavailable, base::kReasonNoReplica,
                        "no decoder replica is ready"),
        options_.retry_delay);
  }
  ++best->load.outstanding_batches;
  best->load.last_sent = ++pins_;
  pinned_.Set(++leases_);
  return Lease(this, std::move(best));
}

void DecoderPool::AddReplica(DecoderSpec spec) {
  base::MutexLock lock(mutex_);
  Drop(spec.address);
  replicas_.push_back(std::make_shared<Replica>(Replica{std::move(spec), {}}));
  ready_.Set(static_cast<double>(replicas_.size()));
}

void DecoderPool::RemoveReplica(const std::string& address) {
  base::MutexLock lock(mutex_);
  Drop(address);
}

void DecoderPool::AddSpace(const std::string& address, const std::string& space_id) {
  base::MutexLock lock(mutex_);
  for (const auto& replica : replicas_) {
    std::vector<std::string>& spaces = replica->spec.space_ids;
    if (replica->spec.address == address &&
        std::find(spaces.begin(), spaces.end(), space_id) == spaces.end()) {
      spaces.push_back(space_id);
    }
  }
}

void DecoderPool::KeepSpace(const std::string& address, const std::string& space_id) {
  base::MutexLock lock(mutex_);
  for (const auto& replica : replicas_) {
    if (replica->spec.address == address) {
      replica->spec.space_ids = {space_id};
    }
  }
}

std::optional<ReplicaLoad> DecoderPool::load(const std::string& address) const {
  base::MutexLock lock(mutex_);
  for (const auto& replica : replicas_) {
    if (replica->spec.address == address) {
      return replica->load;
    }
  }
  return std::nullopt;
}

bool DecoderPool::Drop(const std::string& address) {
  const auto found = std::find_if(replicas_.begin(), replicas_.end(), [&](const auto& replica) {
    return replica->spec.address == address;
  });
  if (found == replicas_.end()) {
    return false;
  }
  replicas_.erase(found);
  ready_.Set(static_cast<double>(replicas_.size()));
  return true;
}

void DecoderPool::Release(std::shared_ptr<Replica> replica) {
  {
    base::MutexLock lock(mutex_);
    --replica->load.outstanding_batches;
  }
  // It may be the last to hold a replica's channel: gone before Close can return.
  replica.reset();
  base::MutexLock lock(mutex_);
  pinned_.Set(--leases_);
  if (leases_ == 0) {
    quiet_.NotifyAll();
  }
}

void DecoderPool::Lose(const std::shared_ptr<Replica>& replica) {
  {
    base::MutexLock lock(mutex_);
    const auto found = std::find(replicas_.begin(), replicas_.end(), replica);
    if (found == replicas_.end()) {
      return;
    }
    replicas_.erase(found);
    ready_.Set(static_cast<double>(replicas_.size()));
  }
  if (replica->spec.on_lost) {
    replica->spec.on_lost();
  }
}

}  // namespace terminus::services::router::dispatch
