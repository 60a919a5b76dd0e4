#include "common/serving/model_host.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/errors.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/executor/guard.h"
#include "common/rpc/status.h"

namespace terminus::serving {
namespace {

constexpr absl::Duration kMaxKeep = absl::Hours(1);

absl::Status CheckSize(absl::string_view field, const std::string& value, size_t at_most) {
  if (value.size() > at_most) {
    return base::FieldError(base::kReasonInvalidRequest, field,
                            absl::StrCat(value.size(), " bytes, at most ", at_most));
  }
  return absl::OkStatus();
}

absl::Status CheckRequest(const v1::StageModelRequest& request) {
  if (request.load_id().empty()) {
    return base::FieldError(base::kReasonInvalidRequest, "load_id", "it is empty");
  }
  TERMINUS_RETURN_IF_ERROR(CheckSize("load_id", request.load_id(), ModelHost::kMaxIdBytes));
  TERMINUS_RETURN_IF_ERROR(CheckSize("path", request.path(), ModelHost::kMaxPathBytes));
  TERMINUS_RETURN_IF_ERROR(CheckSize("name", request.name(), ModelHost::kMaxNameBytes));
  if (request.path().empty() || request.path()[0] != '/' ||
      request.path().find('\0') != std::string::npos) {
    return base::FieldError(base::kReasonInvalidRequest, "path",
                            absl::StrCat("'", request.path(), "', expected an absolute path"));
  }
  std::error_code error;
  if (!std::filesystem::is_directory(request.path(), error)) {
    return base::MakeError(absl::StatusCode::kNotFound, base::kReasonInvalidRequest,
                           absl::StrCat(request.path(), ": no such folder on this machine"));
  }
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* Finished(grpc::CallbackServerContext* context,
                                   const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(rpc::ToGrpc(status));
  return reactor;
}

}  // namespace

absl::Status ModelHost::Allowed() const {
  if (options_.enabled) {
    return absl::OkStatus();
  }
  return base::MakeError(absl::StatusCode::kPermissionDenied, base::kReasonLoadingIsOff,
                         "the model cannot be changed here: the service's model_loading is off");
}

absl::Status ModelHost::BeginStage(const v1::StageModelRequest& request) {
  TERMINUS_RETURN_IF_ERROR(Allowed());
  TERMINUS_RETURN_IF_ERROR(CheckRequest(request));
  const absl::Time now = absl::Now();
  const auto keep_us = static_cast<int64_t>(
      std::min<uint64_t>(request.keep_us(), absl::ToInt64Microseconds(kMaxKeep)));
  return slots_.Begin(request.load_id(), now + absl::Microseconds(keep_us), now);
}

grpc::ServerUnaryReactor* ModelHost::Stage(grpc::CallbackServerContext* context,
                                           const v1::StageModelRequest* request,
                                           v1::StageModelResponse* response) {
  if (const absl::Status status = BeginStage(*request); !status.ok()) {
    rpc::ToProto(status, response->mutable_status());
    return Finished(context, absl::OkStatus());
  }
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const bool scheduled = loader_.TrySchedule([this, context, request, response, reactor] {
    const absl::Status status =
        Load(*request, response, [context] { return context->IsCancelled(); });
    rpc::ToProto(status, response->mutable_status());
    reactor->Finish(grpc::Status::OK);
  });
  if (!scheduled) {
    // Only while the process ends.
    const absl::Status status =
        slots_.End(request->load_id(), absl::CancelledError("the process ends"));
    rpc::ToProto(status, response->mutable_status());
    reactor->Finish(grpc::Status::OK);
  }
  return reactor;
}

absl::Status ModelHost::Load(const v1::StageModelRequest& request, v1::StageModelResponse* response,
                             const std::function<bool()>& abandoned) {
  const absl::Time start = absl::Now();
  absl::StatusOr<HostedModel> loaded = absl::CancelledError("the caller has left");
  if (!abandoned()) {
    const absl::Status status = executor::RunGuarded([&]() -> absl::Status {
      loaded = options_.load(request, response);
      return loaded.status();
    });
    if (base::Reason(status) == base::kReasonNotInBundle) {
      response->set_absent(true);
      loaded = HostedModel{};
    } else if (!status.ok()) {
      loaded = status;
    } else if (abandoned()) {
      loaded = absl::CancelledError("the caller left before the model was loaded");
    }
  }
  const absl::Status status = slots_.End(request.load_id(), std::move(loaded));
  const std::string took = absl::FormatDuration(absl::Now() - start);
  if (status.ok()) {
    base::LogInfo(absl::StrCat(response->absent() ? "nothing for this service in "
                                                  : "loaded and verified, not in use yet: ",
                               request.path(), ", ", took));
  } else {
    base::LogError(absl::StrCat("cannot load ", request.path(),
                                ", the model in service stays: ", status.message()));
  }
  return status;
}

grpc::ServerUnaryReactor* ModelHost::Commit(grpc::CallbackServerContext* context,
                                            const v1::CommitModelRequest* request,
                                            v1::CommitModelResponse* /*response*/) {
  absl::Status status = Allowed();
  if (status.ok()) {
    status = slots_.Commit(request->load_id());
  }
  if (status.ok()) {
    const auto served = slots_.served();
    base::LogInfo(served->model == nullptr ? "serving no model now"
                                           : absl::StrCat("serving model ", served->name,
                                                          " of space ", served->space_id, " now"));
  }
  return Finished(context, status);
}

grpc::ServerUnaryReactor* ModelHost::Finish(grpc::CallbackServerContext* context,
                                            const v1::FinishModelRequest* request,
                                            v1::FinishModelResponse* /*response*/) {
  const absl::Status status = Allowed();
  if (status.ok()) {
    slots_.Finish(request->load_id());
  }
  return Finished(context, status);
}

grpc::ServerUnaryReactor* ModelHost::Unload(grpc::CallbackServerContext* context,
                                            const v1::UnloadHostedModelRequest* request,
                                            v1::UnloadHostedModelResponse* /*response*/) {
  absl::Status status = Allowed();
  if (status.ok()) {
    status = slots_.Unload(request->name(), absl::Now());
  }
  if (status.ok()) {
    base::LogInfo(absl::StrCat("unloaded model ", request->name()));
  }
  return Finished(context, status);
}

}  // namespace terminus::serving
