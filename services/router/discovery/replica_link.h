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
#include "terminus/v1/decoder.grpc.pb.h"
#include "terminus/v1/encoder.grpc.pb.h"

namespace terminus::services::router::discovery {

// What came of asking or watching a replica.
struct LinkReport {
  // The question it answers; a report with an older number is out of date.
  uint64_t epoch = 0;
  // kAccepted stands for "described itself": whether it fits is for the receiver to say.
  Event event = Event::kUnreachable;
  std::string detail;
  // A decoder's too, as far as it has the same fields; its modality is unspecified.
  v1::DescribeResponse description;
  // A decoder's.
  v1::DecoderDescribeResponse decoder;
};

// A decoder's description in the terms of the encoders', as far as they have the same fields.
v1::DescribeResponse InCommonTerms(const v1::DecoderDescribeResponse& decoder);

// Which protocol a replica speaks.
enum class ReplicaKind { kEncoder, kDecoder };

// The calls to one replica that find out about it. Not thread-safe, but reports come from gRPC's
// threads. Waits in its destructor for calls that are under way, after cancelling them.
class ReplicaLink {
 public:
  using Report = std::function<void(LinkReport)>;

  ReplicaLink(ReplicaKind kind, const std::string& address, int64_t max_message_bytes,
              Report report);
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
  template <class Stub, class Request, class Response>
  void Ask(Stub& stub, absl::Duration timeout, void (*take)(Response&, LinkReport&));

  void CallStarted();
  void CallEnded();

  const std::shared_ptr<grpc::Channel> channel_;
  // The one of its kind.
  const std::unique_ptr<v1::Encoder::Stub> encoder_;
  const std::unique_ptr<v1::Decoder::Stub> decoder_;
  const Report report_;
  uint64_t epoch_ = 0;
  // Of a Describe under way.
  std::shared_ptr<grpc::ClientContext> describe_;
  std::shared_ptr<HealthWatch> watch_;

  base::Mutex mutex_;
  base::CondVar quiet_;
  int calls_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace terminus::services::router::discovery
