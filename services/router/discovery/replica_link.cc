#include "services/router/discovery/replica_link.h"

#include <utility>

#include "common/base/errors.h"
#include "common/rpc/channel.h"
#include "common/rpc/status.h"

namespace terminus::services::router::discovery {

ReplicaLink::ReplicaLink(const std::string& address, int64_t max_message_bytes, Report report)
    : channel_(rpc::MakeChannel(address, max_message_bytes)),
      stub_(v1::Encoder::NewStub(channel_)),
      report_(std::move(report)) {}

ReplicaLink::~ReplicaLink() {
  StartOver();
  base::MutexLock lock(mutex_);
  while (calls_ > 0) {
    quiet_.Wait(mutex_);
  }
}

void ReplicaLink::StartOver() {
  ++epoch_;
  if (describe_ != nullptr) {
    describe_->context.TryCancel();
    describe_.reset();
  }
  if (watch_ != nullptr) {
    watch_->Cancel();
    watch_.reset();
  }
}

void ReplicaLink::Describe(absl::Duration timeout) {
  StartOver();
  CallStarted();
  describe_ = std::make_shared<DescribeCall>();
  describe_->context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  stub_->async()->Describe(
      &describe_->context, &describe_->request, &describe_->response,
      [this, call = describe_, epoch = epoch_](const grpc::Status& grpc_status) mutable {
        LinkReport report{.epoch = epoch};
        if (grpc_status.ok()) {
          report.event = Event::kAccepted;
          report.description = std::move(call->response);
        } else {
          const absl::Status status = rpc::FromGrpc(grpc_status);
          // Only a process of ours attaches a reason; a connection that fails has none.
          report.event = absl::IsUnavailable(status) && !base::Reason(status).empty()
                             ? Event::kStillLoading
                             : Event::kUnreachable;
          report.detail = std::string(status.message());
        }
        report_(std::move(report));
        // Its context holds the channel, which must not outlive this link on gRPC's own thread.
        call.reset();
        CallEnded();
      });
}

void ReplicaLink::Watch() {
  CallStarted();
  watch_ = HealthWatch::Start(channel_, [this, epoch = epoch_](Event event, std::string detail) {
    report_({.epoch = epoch, .event = event, .detail = std::move(detail)});
    if (event == Event::kLost) {
      CallEnded();
    }
  });
}

void ReplicaLink::CallStarted() {
  base::MutexLock lock(mutex_);
  ++calls_;
}

void ReplicaLink::CallEnded() {
  base::MutexLock lock(mutex_);
  if (--calls_ == 0) {
    quiet_.NotifyAll();
  }
}

}  // namespace terminus::services::router::discovery
