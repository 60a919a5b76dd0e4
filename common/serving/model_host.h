#pragma once

#include <grpcpp/server_context.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/thread_pool.h"
#include "common/serving/model_slots.h"
#include "terminus/v1/model_host.grpc.pb.h"

namespace terminus::serving {

// What tells one process from another here.
struct ModelHostOptions {
  // Whether the model may be changed at all.
  bool enabled = false;
  // Loads the model of a folder and checks it as at the start; writes to the response what Describe
  // would say. FAILED_PRECONDITION with the reason NOT_IN_BUNDLE: the folder is sound and has
  // nothing for this service. Runs guarded, on a thread of the host.
  std::function<absl::StatusOr<HostedModel>(const v1::StageModelRequest& request,
                                            v1::StageModelResponse* response)>
      load;
};

// The ModelHost service over a process's slots. gRPC's own threads never wait; one model is loaded
// at a time. A load cannot be interrupted: whose caller left meanwhile is let go of at its end.
// Must outlive the server that it is registered with; the slots outlive it.
class ModelHost final : public v1::ModelHost::CallbackService {
 public:
  // Bytes of the request's fields.
  static constexpr size_t kMaxIdBytes = 64;
  static constexpr size_t kMaxPathBytes = 4096;
  static constexpr size_t kMaxNameBytes = 256;

  ModelHost(ModelSlots& slots, ModelHostOptions options)
      : slots_(slots), options_(std::move(options)), loader_("load", 1, 1) {}

  grpc::ServerUnaryReactor* Stage(grpc::CallbackServerContext* context,
                                  const v1::StageModelRequest* request,
                                  v1::StageModelResponse* response) override;
  grpc::ServerUnaryReactor* Commit(grpc::CallbackServerContext* context,
                                   const v1::CommitModelRequest* request,
                                   v1::CommitModelResponse* response) override;
  grpc::ServerUnaryReactor* Finish(grpc::CallbackServerContext* context,
                                   const v1::FinishModelRequest* request,
                                   v1::FinishModelResponse* response) override;
  grpc::ServerUnaryReactor* Unload(grpc::CallbackServerContext* context,
                                   const v1::UnloadHostedModelRequest* request,
                                   v1::UnloadHostedModelResponse* response) override;

 private:
  absl::Status Allowed() const;
  absl::Status BeginStage(const v1::StageModelRequest& request);
  absl::Status Load(const v1::StageModelRequest& request, v1::StageModelResponse* response,
                    const std::function<bool()>& abandoned);

  ModelSlots& slots_;
  const ModelHostOptions options_;
  // Last: joined before what it uses goes.
  base::ThreadPool loader_;
};

}  // namespace terminus::serving
