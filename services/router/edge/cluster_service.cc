#include <google/protobuf/util/time_util.h>

#include "common/base/errors.h"
#include "common/base/version.h"
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

grpc::Status OneBundle() {
  return rpc::ToGrpc(base::MakeError(
      absl::StatusCode::kUnimplemented, base::kReasonInvalidRequest,
      "a cluster serves the one bundle it was started with; start it with another one"));
}

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
    v1::ModelInfo* model = response->add_models();
    model->set_name(served->name);
    for (const discovery::ServiceSpec& service : parts_.services) {
      if (service.pool != nullptr) {
        model->add_modalities(service.modality);
      }
    }
    model->set_space_id(served->space_id);
    model->set_dimension(served->dimension);
    model->set_max_tokens(served->max_tokens);
    model->set_generates(served->generates);
    model->set_max_context(served->max_context);
    model->mutable_prompts()->Assign(served->prompts.begin(), served->prompts.end());
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
    if (served != nullptr) {
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
                                                    const v1::LoadModelRequest*,
                                                    v1::LoadModelResponse*) {
  return Finished(context, OneBundle());
}

grpc::ServerUnaryReactor* ClusterService::UnloadModel(grpc::CallbackServerContext* context,
                                                      const v1::UnloadModelRequest*,
                                                      v1::UnloadModelResponse*) {
  return Finished(context, OneBundle());
}

}  // namespace terminus::services::router::edge
