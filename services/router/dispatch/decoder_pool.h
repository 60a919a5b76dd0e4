#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/mutex.h"
#include "common/metrics/metrics.h"
#include "services/router/dispatch/placement.h"
#include "terminus/v1/decoder.grpc.pb.h"

namespace terminus::services::router::dispatch {

struct DecoderPoolOptions {
  // What is told to callers that were answered UNAVAILABLE.
  absl::Duration retry_delay = absl::Milliseconds(500);
};

struct DecoderSpec {
  // Its identity in the pool.
  std::string address;
  std::shared_ptr<v1::Decoder::Stub> stub;
  // Whose calls it answers: one, or two while a model is being replaced.
  std::vector<std::string> space_ids;
  // Called at most once, when a call found it gone; it is out of the pool by then.
  std::function<void()> on_lost;
};

// The ready replicas of the decoder. A request is pinned to one replica, where its KV cache is, and
// waits there, not here: the decoder schedules its own. Thread-safe.
class DecoderPool {
 public:
  class Lease;

  DecoderPool(const DecoderPoolOptions& options, metrics::Registry& registry);
  // As Close.
  ~DecoderPool();

  // Gives no more leases, and waits until all are back. Whoever made the replicas' channels
  // destroys them after this; see Pool::Close.
  void Close();

  // The replica of that space with the fewest requests, of equal ones the one that has waited
  // longest. UNAVAILABLE with a retry delay when there is none.
  absl::StatusOr<Lease> Pin(const std::string& space_id);

  void AddReplica(DecoderSpec spec);
  // It is pinned no more; what it has, it may still answer.
  void RemoveReplica(const std::string& address);

  // It answers the calls of this space as well, or of no other any more.
  void AddSpace(const std::string& address, const std::string& space_id);
  void KeepSpace(const std::string& address, const std::string& space_id);

  // Of a replica that is ready, else nothing.
  std::optional<ReplicaLoad> load(const std::string& address) const;

 private:
  struct Replica {
    DecoderSpec spec;
    ReplicaLoad load;
  };

  void Release(std::shared_ptr<Replica> replica);
  void Lose(const std::shared_ptr<Replica>& replica);
  bool Drop(const std::string& address) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const DecoderPoolOptions options_;
  metrics::Gauge& ready_;
  metrics::Gauge& pinned_;

  mutable base::Mutex mutex_;
  base::CondVar quiet_;
  std::vector<std::shared_ptr<Replica>> replicas_ ABSL_GUARDED_BY(mutex_);
  int leases_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t pins_ ABSL_GUARDED_BY(mutex_) = 0;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

// A request's hold on its replica; given back when it is destroyed, which must come after the
// request's ClientContext is gone.
class DecoderPool::Lease {
 public:
  Lease() = default;
  Lease(Lease&& other) noexcept { *this = std::move(other); }
  Lease& operator=(Lease&& other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(replica_, other.replica_);
    return *this;
  }
  ~Lease() {
    if (pool_ != nullptr) {
      pool_->Release(std::move(replica_));
    }
  }

  v1::Decoder::Stub& stub() const { return *replica_->spec.stub; }
  const std::string& address() const { return replica_->spec.address; }

  // A call found the replica gone: takes it out of the pool and tells whoever watches it.
  void ReportLost() const { pool_->Lose(replica_); }

 private:
  friend class DecoderPool;
  Lease(DecoderPool* pool, std::shared_ptr<Replica> replica)
      : pool_(pool), replica_(std::move(replica)) {}

  DecoderPool* pool_ = nullptr;
  std::shared_ptr<Replica> replica_;
};

}  // namespace terminus::services::router::dispatch
