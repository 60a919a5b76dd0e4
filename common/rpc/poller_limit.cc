#include "common/rpc/poller_limit.h"

#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>

#include <atomic>
#include <thread>

#include "common/base/mutex.h"

namespace terminus::rpc {
namespace {

// One thread must stay.
std::atomic<bool> g_limited{false};

}  // namespace

struct PollerLimit::Call {
  explicit Call(grpc::Server& server) : stub(server.InProcessChannel({})) {}

  grpc::GenericStub stub;
  grpc::ClientContext context;
  grpc::ByteBuffer request;
  grpc::ByteBuffer response;
  base::Mutex mutex;
  base::CondVar changed;
  bool released ABSL_GUARDED_BY(mutex) = false;
  bool returned ABSL_GUARDED_BY(mutex) = false;
};

PollerLimit::PollerLimit(grpc::Server& server) {
  if (std::thread::hardware_concurrency() > 2 || g_limited.exchange(true)) {
    return;
  }
  call_ = std::make_unique<Call>(server);
  const grpc::Slice empty;
  call_->request = grpc::ByteBuffer(&empty, 1);
  // Any call will do, however it ends.
  call_->stub.UnaryCall(&call_->context, "/grpc.health.v1.Health/Check", grpc::StubOptions(),
                        &call_->request, &call_->response,
                        [call = call_.get()](const grpc::Status& /*status*/) {
                          base::MutexLock lock(call->mutex);
                          while (!call->released) {
                            call->changed.Wait(call->mutex);
                          }
                          call->returned = true;
                          call->changed.NotifyAll();
                        });
}

PollerLimit::~PollerLimit() {
  if (call_ == nullptr) {
    return;
  }
  {
    base::MutexLock lock(call_->mutex);
    call_->released = true;
    call_->changed.NotifyAll();
    while (!call_->returned) {
      call_->changed.Wait(call_->mutex);
    }
  }
  g_limited = false;
}

}  // namespace terminus::rpc
