#include "services/router/testing/fake_model_host.h"

#include <utility>

#include "absl/time/clock.h"
#include "common/base/check.h"
#include "common/rpc/status.h"

namespace terminus::services::router::testing {
namespace {

const absl::Duration kPatience = absl::Seconds(30);

grpc::ServerUnaryReactor* Finished(grpc::CallbackServerContext* context) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

}  // namespace

FakeModelHost::FakeModelHost(std::string space, Describer describe)
    : describe_(std::move(describe)), space_(std::move(space)) {}

std::string FakeModelHost::space() const {
  base::MutexLock lock(mutex_);
  return space_;
}

bool FakeModelHost::Answers(const std::string& space) const {
  base::MutexLock lock(mutex_);
  return space.empty() || space == space_ || space == displaced_;
}

void FakeModelHost::HoldStage(bool hold) {
  std::vector<std::function<void()>> held;
  {
    base::MutexLock lock(mutex_);
    hold_ = hold;
    if (!hold) {
      held.swap(held_);
    }
  }
  for (const auto& end : held) {
    end();
  }
}

void FakeModelHost::WaitForStages(int count) {
  const absl::Time deadline = absl::Now() + kPatience;
  base::MutexLock lock(mutex_);
  while (stages_ < count) {
    TERMINUS_CHECK(changed_.WaitUntil(mutex_, deadline) || stages_ >= count);
  }
}

grpc::ServerUnaryReactor* FakeModelHost::Stage(grpc::CallbackServerContext* context,
                                               const v1::StageModelRequest* request,
                                               v1::StageModelResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const auto end = [this, reactor, request, response] {
    Answer(*request, response);
    reactor->Finish(grpc::Status::OK);
  };
  bool held = false;
  {
    base::MutexLock lock(mutex_);
    ++stages_;
    held = hold_;
    if (held) {
      held_.push_back(end);
    }
  }
  changed_.NotifyAll();
  if (!held) {
    end();
  }
  return reactor;
}

void FakeModelHost::Answer(const v1::StageModelRequest& request, v1::StageModelResponse* response) {
  const std::string space = request.path().substr(request.path().rfind('/') + 1);
  if (space == "refused") {
    rpc::ToProto(absl::InvalidArgumentError("a.weight: missing\n  b.weight: differs"),
                 response->mutable_status());
    return;
  }
  describe_(space, response);
  if (!request.name().empty() && response->has_encoder()) {
    response->mutable_encoder()->set_model(request.name());
  }
  if (!request.name().empty() && response->has_decoder()) {
    response->mutable_decoder()->set_model(request.name());
  }
  base::MutexLock lock(mutex_);
  load_id_ = request.load_id();
  staged_ = response->absent() ? "" : space;
}

grpc::ServerUnaryReactor* FakeModelHost::Commit(grpc::CallbackServerContext* context,
                                                const v1::CommitModelRequest* request,
                                                v1::CommitModelResponse*) {
  base::MutexLock lock(mutex_);
  TERMINUS_CHECK(request->load_id() == load_id_);
  displaced_ = std::exchange(space_, staged_);
  return Finished(context);
}

grpc::ServerUnaryReactor* FakeModelHost::Finish(grpc::CallbackServerContext* context,
                                                const v1::FinishModelRequest* request,
                                                v1::FinishModelResponse*) {
  base::MutexLock lock(mutex_);
  if (request->load_id() == load_id_) {
    load_id_.clear();
    displaced_.clear();
  }
  return Finished(context);
}

grpc::ServerUnaryReactor* FakeModelHost::Unload(grpc::CallbackServerContext* context,
                                                const v1::UnloadHostedModelRequest*,
                                                v1::UnloadHostedModelResponse*) {
  base::MutexLock lock(mutex_);
  space_.clear();
  return Finished(context);
}

}  // namespace terminus::services::router::testing
