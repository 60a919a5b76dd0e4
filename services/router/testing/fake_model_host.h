#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/base/mutex.h"
#include "terminus/v1/model_host.grpc.pb.h"

namespace terminus::services::router::testing {

// The ModelHost service of a fake process. The last part of a path is the space that is staged;
// "/refused" is refused with a list of tensors. The displaced space is answered until Finish.
// Thread-safe.
class FakeModelHost final : public v1::ModelHost::CallbackService {
 public:
  // Describes the model of a space, or sets `absent` when there is nothing of it for the process.
  using Describer = std::function<void(const std::string& space, v1::StageModelResponse* response)>;

  // `space` is served at first; empty: none.
  FakeModelHost(std::string space, Describer describe);

  // The space that is served; empty: none.
  std::string space() const;
  // Whether a call for a space is answered; an empty one stands for any.
  bool Answers(const std::string& space) const;

  // Holds Stage calls, or lets them go on.
  void HoldStage(bool hold);
  // Waits for a Stage call, and fails the process when none comes.
  void WaitForStages(int count);

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
  void Answer(const v1::StageModelRequest& request, v1::StageModelResponse* response);

  const Describer describe_;
  mutable base::Mutex mutex_;
  base::CondVar changed_;
  std::string space_ ABSL_GUARDED_BY(mutex_);
  std::string load_id_ ABSL_GUARDED_BY(mutex_);
  std::string staged_ ABSL_GUARDED_BY(mutex_);
  std::string displaced_ ABSL_GUARDED_BY(mutex_);
  bool hold_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::function<void()>> held_ ABSL_GUARDED_BY(mutex_);
  int stages_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace terminus::services::router::testing
