#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "services/router/dispatch/encode_task.h"
#include "terminus/v1/encoder.grpc.pb.h"

namespace terminus::services::router::dispatch {

// One EncodeBatch call and the tasks it carries. While it is under way each task's item lives in
// the request: tasks[i] in request.items(i).
struct BatchCall {
  grpc::ClientContext context;
  v1::EncodeBatchRequest request;
  v1::EncodeBatchResponse response;
  std::vector<std::unique_ptr<batching::Task>> tasks;
  int64_t cost = 0;
  absl::Time sent;

  EncodeTask& task(size_t i) const { return static_cast<EncodeTask&>(*tasks[i]); }
};

// Leaves in `tasks` those of the space of the first, in their order, and returns the others, in
// theirs.
std::vector<std::unique_ptr<batching::Task>> SplitOff(
    std::vector<std::unique_ptr<batching::Task>>& tasks);

// Moves the tasks' items into the request, each with the time it has left at `now`, names their
// space, and sets the call's deadline to the latest of theirs. The tasks are of one space.
void FillCall(absl::Time now, BatchCall& call);

// Moves the items back into the tasks and gives up the tasks.
std::vector<std::unique_ptr<batching::Task>> TakeBack(BatchCall& call);

// A replica as the pool uses it.
class BatchSender {
 public:
  virtual ~BatchSender() = default;

  // Starts the call. `done` is called exactly once, from any thread; it keeps `call` alive.
  virtual void Send(BatchCall& call, std::function<void(grpc::Status)> done) = 0;

  // Nobody wants the answer any more. May come before Send or after `done`.
  virtual void Cancel(BatchCall& call) { call.context.TryCancel(); }
};

// Over gRPC.
class GrpcBatchSender : public BatchSender {
 public:
  explicit GrpcBatchSender(const std::shared_ptr<grpc::Channel>& channel)
      : stub_(v1::Encoder::NewStub(channel)) {}

  void Send(BatchCall& call, std::function<void(grpc::Status)> done) override {
    stub_->async()->EncodeBatch(&call.context, &call.request, &call.response, std::move(done));
  }

 private:
  const std::unique_ptr<v1::Encoder::Stub> stub_;
};

}  // namespace terminus::services::router::dispatch
