#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"
#include "common/base/version.h"
#include "common/rpc/context.h"
#include "common/rpc/status.h"
#include "services/router/edge/services.h"

namespace terminus::services::router::edge {
namespace {

grpc::ServerUnaryReactor* Finished(grpc::CallbackServerContext* context,
                                   const grpc::Status& status = grpc::Status::OK) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(status);
  return reactor;
}

google::protobuf::Duration ToProto(absl::Duration duration) {
  return google::protobuf::util::TimeUtil::NanosecondsToDuration(
      absl::ToInt64Nanoseconds(duration));
}

const char* CostUnit(v1::Modality modality) {
  switch (modality) {
    case v1::MODALITY_TEXT:
      return "tokens";
    case v1::MODALITY_VIDEO:
      return "frames";
    default:
      return "patches";
  }
}

void FillModel(const dispatch::ServedModel& served,
               const std::vector<discovery::ServiceSpec>& services, v1::ModelInfo* model) {
  model->set_name(served.name);
  for (const discovery::ServiceSpec& service : services) {
    if (service.pool != nullptr && served.Takes(service.modality)) {
      model->add_modalities(service.modality);
    }
  }
  model->set_space_id(served.space_id);
  model->set_dimension(served.dimension);
  model->set_max_tokens(served.max_tokens);
  model->set_generates(served.generates);
  model->set_max_context(served.max_context);
  model->mutable_prompts()->Assign(served.prompts.begin(), served.prompts.end());
}

// What a service takes too; longer ones need not reach it.
constexpr size_t kMaxNameBytes = 256;
constexpr size_t kMaxPathBytes = 4096;

absl::Status CheckChange(const loading::ModelLoader* loader) {
  if (loader != nullptr) {
    return absl::OkStatus();
  }
  return base::MakeError(absl::StatusCode::kPermissionDenied, base::kReasonLoadingIsOff,
                         "the model cannot be changed by a call: router.model_loading is off, or "
                         "auto and the router listens beyond this machine");
}

absl::Status CheckField(absl::string_view field, const std::string& value, size_t at_most) {
  if (value.size() > at_most) {
    return base::FieldError(base::kReasonInvalidRequest, field,
                            absl::StrCat(value.size(), " bytes, at most ", at_most));
  }
  // A name goes into logs and messages.
  const bool printable = std::none_of(value.begin(), value.end(),
                                      [](unsigned char c) { return absl::ascii_iscntrl(c); });
  return printable
             ? absl::OkStatus()
             : base::FieldError(base::kReasonInvalidRequest, field, "it holds control characters");
}

absl::Status CheckLoad(const v1::LoadModelRequest& request) {
  TERMINUS_RETURN_IF_ERROR(CheckField("name", request.name(), kMaxNameBytes));
  TERMINUS_RETURN_IF_ERROR(CheckField("path", request.path(), kMaxPathBytes));
  if (request.path().empty() || request.path()[0] != '/') {
    return base::FieldError(
        base::kReasonInvalidRequest, "path",
        absl::StrCat("'", request.path(), "', expected an absolute path on the servers"));
  }
  return absl::OkStatus();
}

// One LoadModel or UnloadModel, from its arrival until it is answered; deletes itself then.
template <class Response>
class ChangeCall final : public grpc::ServerUnaryReactor {
 public:
  // `complete`, if there is one, adds to a response before it is sent.
  ChangeCall(Response* response, std::function<void(Response&)> complete)
      : response_(response), complete_(std::move(complete)) {}

  std::shared_ptr<loading::Cancellation> cancellation() const { return cancellation_; }

  std::function<void(absl::StatusOr<Response>)> done() {
    return [this](absl::StatusOr<Response> response) {
      if (response.ok()) {
        *response_ = *std::move(response);
        if (complete_) {
          complete_(*response_);
        }
      }
      Finish(rpc::ToGrpc(response.status()));
    };
  }

  // Not OK: the change did not begin, and `done` is not called.
  void FinishUnless(const absl::Status& begun) {
    if (!begun.ok()) {
      Finish(rpc::ToGrpc(begun));
    }
  }

  void OnCancel() override { cancellation_->Raise(); }
  void OnDone() override { delete this; }

 private:
  Response* const response_;
  const std::function<void(Response&)> complete_;
  const std::shared_ptr<loading::Cancellation> cancellation_ =
      std::make_shared<loading::Cancellation>();
};

}  // namespace

grpc::ServerUnaryReactor* ClusterService::GetStatus(grpc::CallbackServerContext* context,
                                                    const v1::GetStatusRequest*,
                                                    v1::GetStatusResponse* response) {
  response->set_ready(parts_.discovery->ready());
  response->set_version(kVersion);
  if (const auto model = parts_.catalog->model(); model != nullptr) {
    response->set_space_id(model->space_id);
  }
  for (v1::ReplicaStatus& replica : parts_.discovery->replicas()) {
    *response->add_replicas() = std::move(replica);
  }
  *response->mutable_uptime() = ToProto(absl::Now() - started_);
  const admission::Admission::Usage usage = parts_.admission->usage();
  response->set_admitted_items(usage.items);
  response->set_max_admitted_items(parts_.admission->limits().max_items);
  response->set_admitted_bytes(usage.bytes);
  response->set_max_admitted_bytes(parts_.admission->limits().max_bytes);
  response->set_metrics_address(parts_.metrics_address);
  return Finished(context);
}

grpc::ServerUnaryReactor* ClusterService::ListModels(grpc::CallbackServerContext* context,
                                                     const v1::ListModelsRequest*,
                                                     v1::ListModelsResponse* response) {
  if (const auto served = parts_.catalog->model(); served != nullptr) {
    FillModel(*served, parts_.services, response->add_models());
  }
  return Finished(context);
}

grpc::ServerUnaryReactor* ClusterService::ExplainBatching(grpc::CallbackServerContext* context,
                                                          const v1::ExplainBatchingRequest*,
                                                          v1::ExplainBatchingResponse* response) {
  const auto served = parts_.catalog->model();
  for (const discovery::ServiceSpec& service : parts_.services) {
    if (service.pool == nullptr) {
      // The decoder batches by itself, step by step.
      continue;
    }
    const dispatch::PoolOptions& options = service.pool->options();
    const batching::QueueStats stats = service.pool->stats();
    v1::QueueStatus* queue = response->add_queues();
    if (served != nullptr && served->Takes(service.modality)) {
      queue->set_model(served->name);
    }
    queue->set_modality(service.modality);
    // Texts are packed by their true length, images and frames all resized to one: one bucket each.
    queue->set_bucket("all");
    queue->set_cost_unit(CostUnit(service.modality));
    queue->set_max_batch_cost(options.queue.limits.max_cost);
    queue->set_max_batch_items(options.queue.limits.max_items);
    queue->set_max_in_flight(service.pool->max_in_flight());
    queue->set_queued_items(stats.queued_items);
    queue->set_queued_cost(stats.queued_cost);
    queue->set_closed_by_idle_replica(stats.closed_by_idle_replica);
    queue->set_closed_by_cost(stats.closed_by_cost);
    queue->set_closed_by_items(stats.closed_by_items);
    queue->set_closed_by_deadline(stats.closed_by_deadline);
    queue->set_expired(stats.expired);
    queue->set_cancelled(stats.cancelled);
    queue->set_mean_batch_items(stats.mean_batch_items);
    *queue->mutable_mean_queue_time() = ToProto(stats.mean_queue_time);
  }
  return Finished(context);
}

grpc::ServerUnaryReactor* ClusterService::LoadModel(grpc::CallbackServerContext* context,
                                                    const v1::LoadModelRequest* request,
                                                    v1::LoadModelResponse* response) {
  auto* call =
      new ChangeCall<v1::LoadModelResponse>(response, [this](v1::LoadModelResponse& loaded) {
        if (const auto served = parts_.catalog->model(); served != nullptr) {
          FillModel(*served, parts_.services, loaded.mutable_model());
        }
      });
  absl::Status status = CheckChange(parts_.loader);
  if (status.ok()) {
    status = CheckLoad(*request);
  }
  if (status.ok()) {
    const absl::Time deadline = rpc::ContextOf(*context, parts_.load_timeout).deadline;
    status = parts_.loader->Load(*request, deadline, call->cancellation(), call->done());
  }
  call->FinishUnless(status);
  return call;
}

grpc::ServerUnaryReactor* ClusterService::UnloadModel(grpc::CallbackServerContext* /*context*/,
                                                      const v1::UnloadModelRequest* request,
                                                      v1::UnloadModelResponse* response) {
  auto* call = new ChangeCall<v1::UnloadModelResponse>(response, nullptr);
  absl::Status status = CheckChange(parts_.loader);
  if (status.ok()) {
    status = CheckField("name", request->name(), kMaxNameBytes);
  }
  if (status.ok()) {
    status = parts_.loader->Unload(*request, call->cancellation(), call->done());
  }
  call->FinishUnless(status);
  return call;
}

}  // namespace terminus::services::router::edge
