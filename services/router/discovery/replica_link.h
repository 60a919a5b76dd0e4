#pragma once

#include <grpcpp/channel.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "common/base/mutex.h"
#include "services/router/discovery/health_watch.h"
#include "services/router/discovery/replica_state.h"
#include "terminus/v1/encoder.grpc.pb.h"

namespace terminus::services::router::discovery {

// What came of asking or watching a replica.
struct LinkReport {
  // The question it answers; a report with an older number is out of date.
  uint64_t epoch = 0;
  // kAccepted stands for "described itself": whether it fits is for the receiver to say.
  Event event = Event::kUnreachable;
  std::string detail;
  v1::DescribeResponse description;
};

// The calls to one replica that find out about it. Not thread-safe, but reports come from gRPC's
// threads. Waits in its destructor for calls that are under way, after cancelling them.
class ReplicaLink {
 public:
  using Report = std::function<void(LinkReport)>;

  ReplicaLink(const std::string& address, int64_t max_message_bytes, Report report);
  ~ReplicaLink();

  // Begins a new epoch: ends a watch, and makes what was reported before out of date.
  void StartOver();

  // One Describe. Reports kAccepted with the description, kStillLoading when the replica answers
  // that it is not ready, or kUnreachable.
  void Describe(absl::Duration timeout);

  // Reports kServing and kNotServing until kLost.
  void Watch();

  uint64_t epoch() const { return epoch_; }
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

 private:
  struct DescribeCall {
    grpc::ClientContext context;
    v1::DescribeRequest request;
    v1::DescribeResponse response;
  };

  void CallStarted();
  void CallEnded();

  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::Encoder::Stub> stub_;
  const Report report_;
  uint64_t epoch_ = 0;
  std::shared_ptr<DescribeCall> describe_;
  std::shared_ptr<HealthWatch> watch_;

  base::Mutex mutex_;
  base::CondVar quiet_;
  int calls_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace terminus::services::router::discovery
