#include "tools/cli/ready_watch.h"

#include "common/rpc/channel.h"
#include "tools/cli/client.h"

namespace terminus::tools::cli {
namespace {

constexpr absl::Duration kInterval = absl::Milliseconds(100);
constexpr absl::Duration kPatience = absl::Seconds(1);

}  // namespace

ReadyWatch::ReadyWatch(const std::string& address)
    : stub_(v1::Cluster::NewStub(rpc::MakeChannel(address, kMaxMessageBytes))),
      thread_([this] { Run(); }) {}

ReadyWatch::~ReadyWatch() {
  {
    base::MutexLock lock(mutex_);
    stop_ = true;
  }
  stopped_.NotifyAll();
  thread_.join();
}

std::optional<v1::GetStatusResponse> ReadyWatch::Latest() const {
  base::MutexLock lock(mutex_);
  return latest_;
}

void ReadyWatch::Run() {
  while (true) {
    grpc::ClientContext context;
    // A call that waits drives the connection; between calls that fail at once nothing would, but
    // for a look that gRPC takes every five seconds.
    context.set_wait_for_ready(true);
    context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
    v1::GetStatusResponse response;
    const bool answered = stub_->GetStatus(&context, {}, &response).ok();
    const absl::Time next = absl::Now() + kInterval;
    base::MutexLock lock(mutex_);
    latest_ = answered ? std::optional(std::move(response)) : std::nullopt;
    while (!stop_ && stopped_.WaitUntil(mutex_, next)) {
    }
    if (stop_) {
      return;
    }
  }
}

}  // namespace terminus::tools::cli
