#pragma once

#include <grpcpp/client_context.h>

#include <functional>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/base/mutex.h"
#include "common/base/thread_pool.h"
#include "common/rpc/status.h"
#include "services/router/discovery/model_switch.h"
#include "terminus/v1/model_host.grpc.pb.h"

namespace terminus::services::router::loading {

// Says that nobody waits for a change any more, and ends the calls that are made for it.
// Thread-safe.
class Cancellation {
 public:
  void Raise();
  bool raised() const;

  // While a call is under way.
  void Add(grpc::ClientContext* context);
  void Remove(grpc::ClientContext* context);

 private:
  mutable base::Mutex mutex_;
  bool raised_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<grpc::ClientContext*> contexts_ ABSL_GUARDED_BY(mutex_);
};

// One method of ModelHost on many replicas at once.
class HostCalls {
 public:
  HostCalls() : pool_("model-hosts", kThreads, kThreads) {}

  // Blocks until all have answered or the deadline has passed; the answers are in the hosts' order.
  // `cancellation` may be null.
  template <class Request, class Response>
  std::vector<absl::StatusOr<Response>> Ask(
      absl::Span<const discovery::Host> hosts,
      grpc::Status (v1::ModelHost::Stub::*method)(grpc::ClientContext*, const Request&, Response*),
      const Request& request, absl::Time deadline, Cancellation* cancellation = nullptr) {
    std::vector<absl::StatusOr<Response>> answers(hosts.size(), absl::UnknownError("not asked"));
    pool_.ParallelFor(static_cast<int>(hosts.size()), [&](int i) {
      grpc::ClientContext context;
      context.set_deadline(absl::ToChronoTime(deadline));
      if (cancellation != nullptr) {
        cancellation->Add(&context);
      }
      Response response;
      const auto stub = v1::ModelHost::NewStub(hosts[i].channel);
      const grpc::Status status = ((*stub).*method)(&context, request, &response);
      if (cancellation != nullptr) {
        cancellation->Remove(&context);
      }
      if (status.ok()) {
        answers[i] = std::move(response);
      } else {
        answers[i] = rpc::FromGrpc(status);
      }
    });
    return answers;
  }

 private:
  // Replicas that are asked at once; each waits most of the time.
  static constexpr int kThreads = 16;

  base::ThreadPool pool_;
};

}  // namespace terminus::services::router::loading
