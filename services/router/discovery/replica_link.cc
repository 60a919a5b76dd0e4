#include "services/router/discovery/replica_link.h"

#include <utility>

#include "common/base/errors.h"
#include "common/rpc/channel.h"
#include "common/rpc/status.h"

namespace terminus::services::router::discovery {
namespace {

template <class Request, class Response>
struct DescribeCall {
  grpc::ClientContext context;
  Request request;
  Response response;
};

void TakeEncoder(v1::DescribeResponse& response, LinkReport& report) {
  report.description = std::move(response);
}

void TakeDecoder(v1::DecoderDescribeResponse& response, LinkReport& report) {
  report.description = InCommonTerms(response);
  report.decoder = std::move(response);
}

}  // namespace

v1::DescribeResponse InCommonTerms(const v1::DecoderDescribeResponse& response) {
  v1::DescribeResponse common;
  common.set_protocol(response.protocol());
  common.set_version(response.version());
  common.set_model(response.model());
  common.set_space_id(response.space_id());
  common.set_dimension(response.dimension());
  common.set_max_in_flight(response.max_requests());
  common.set_device(response.device());
  common.set_metrics_address(response.metrics_address());
  common.set_idle(response.idle());
  return common;
}

ReplicaLink::ReplicaLink(ReplicaKind kind, const std::string& address, int64_t max_message_bytes,
                         Report report)
    : channel_(rpc::MakeChannel(address, max_message_bytes)),
      encoder_(kind == ReplicaKind::kEncoder ? v1::Encoder::NewStub(channel_) : nullptr),
      decoder_(kind == ReplicaKind::kDecoder ? v1::Decoder::NewStub(channel_) : nullptr),
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
    describe_->TryCancel();
    describe_.reset();
  }
  if (watch_ != nullptr) {
    watch_->Cancel();
    watch_.reset();
  }
}

void ReplicaLink::Describe(absl::Duration timeout) {
  if (decoder_ != nullptr) {
    Ask<v1::Decoder::Stub, v1::DecoderDescribeRequest>(*decoder_, timeout, &TakeDecoder);
  } else {
    Ask<v1::Encoder::Stub, v1::DescribeRequest>(*encoder_, timeout, &TakeEncoder);
  }
}

template <class Stub, class Request, class Response>
void ReplicaLink::Ask(Stub& stub, absl::Duration timeout, void (*take)(Response&, LinkReport&)) {
  StartOver();
  CallStarted();
  auto made = std::make_shared<DescribeCall<Request, Response>>();
  made->context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  describe_ = std::shared_ptr<grpc::ClientContext>(made, &made->context);
  auto& [context, request, response] = *made;
  stub.async()->Describe(&context, &request, &response,
                         [this, take, call = std::move(made),
                          epoch = epoch_](const grpc::Status& grpc_status) mutable {
                           LinkReport report{.epoch = epoch};
                           if (grpc_status.ok()) {
                             report.event = Event::kAccepted;
                             take(call->response, report);
                           } else {
                             const absl::Status status = rpc::FromGrpc(grpc_status);
                             // Only a process of ours attaches a reason; a connection that fails
                             // has none.
                             report.event =
                                 absl::IsUnavailable(status) && !base::Reason(status).empty()
                                     ? Event::kStillLoading
                                     : Event::kUnreachable;
                             report.detail = std::string(status.message());
                           }
                           report_(std::move(report));
                           // Its context holds the channel, which must not outlive this link on
                           // gRPC's own thread.
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
