#include "services/router/discovery/health_watch.h"

#include <utility>

namespace terminus::services::router::discovery {
namespace {

constexpr int kServingStatus = 1;

}  // namespace

std::shared_ptr<HealthWatch> HealthWatch::Start(const std::shared_ptr<grpc::Channel>& channel,
                                                Report report) {
  std::shared_ptr<HealthWatch> watch(new HealthWatch(channel, std::move(report)));
  watch->self_ = watch;
  watch->stub_.PrepareBidiStreamingCall(&watch->context_, "/grpc.health.v1.Health/Watch", {},
                                        watch.get());
  watch->StartWriteLast(&watch->request_, grpc::WriteOptions());
  watch->StartRead(&watch->response_);
  watch->StartCall();
  return watch;
}

void HealthWatch::OnReadDone(bool ok) {
  if (!ok) {
    return;
  }
  if (response_.value() == kServingStatus) {
    report_(Event::kServing, "");
  } else {
    report_(Event::kNotServing, "its health is not SERVING");
  }
  StartRead(&response_);
}

void HealthWatch::OnDone(const grpc::Status& status) {
  const Report report = report_;
  // Lets go of the channel before the report: whoever waits for it may be about to destroy the
  // last channel, which must not happen on this thread, one of gRPC's own.
  std::exchange(self_, nullptr).reset();
  report(Event::kLost, "connection lost: " + status.error_message());
}

}  // namespace terminus::services::router::discovery
