#pragma once

#include <grpcpp/server_context.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"
#include "common/base/thread_pool.h"
#include "common/base/version.h"
#include "common/executor/executor.h"
#include "common/rpc/status.h"
#include "common/serving/encode_items.h"
#include "common/serving/frontend.h"
#include "common/serving/model_slots.h"
#include "common/serving/serving_metrics.h"
#include "terminus/v1/encoder.grpc.pb.h"

namespace terminus::serving {

// Version of the protocol between router and encoders; they must agree.
inline constexpr uint32_t kEncoderProtocol = 1;

// A model in service: it preprocesses, it computes, and it can tell what it is.
template <class Batch>
struct ServedModel {
  ModelInfo info;
  std::unique_ptr<Frontend<Batch>> frontend;
  std::unique_ptr<executor::Executor<Batch>> executor;
};

// The Encoder service over any kind of batch: text, vision and video differ only in their Frontend
// and their model. A call is preprocessed on the pool, or at once when that takes next to no time,
// and executed on the device's thread; gRPC's own threads never wait. A batch is answered by the
// model that was there for its space when it came, also if another one takes that one's place
// meanwhile. Must outlive the server it is registered with.
template <class Batch>
class EncoderService : public v1::Encoder::CallbackService {
 public:
  // `metrics_address` is for Describe. As many batches are inside as the model's executor takes.
  EncoderService(int preprocess_threads, std::string metrics_address, ServingMetrics& metrics)
      : metrics_address_(std::move(metrics_address)),
        metrics_(metrics),
        slots_(metrics.ready),
        pool_("preprocess", preprocess_threads, kMaxQueuedTasks) {}

  // Takes the model into service; before that every call is answered UNAVAILABLE.
  void Serve(std::shared_ptr<const ServedModel<Batch>> model) { slots_.Start(Host(model)); }

  // For whoever changes the model later. What it holds are models that Host made ready for it.
  ModelSlots& slots() { return slots_; }

  static HostedModel Host(std::shared_ptr<const ServedModel<Batch>> model) {
    return {.name = model->info.name, .space_id = model->info.space_id, .model = std::move(model)};
  }

  // What Describe says of a model, whether it is served yet or not.
  void Describe(const ServedModel<Batch>& model, v1::DescribeResponse* response) const {
    response->set_model(model.info.name);
    response->set_modality(model.info.modality);
    response->set_space_id(model.info.space_id);
    response->set_dimension(static_cast<uint32_t>(model.executor->dimension()));
    response->set_max_tokens(static_cast<uint32_t>(model.info.max_tokens));
    response->set_default_frames(static_cast<uint32_t>(model.info.default_frames));
    for (const std::string& prompt : model.info.prompts) {
      response->add_prompts(prompt);
    }
    response->set_max_in_flight(static_cast<uint32_t>(model.executor->max_in_flight()));
    response->set_device(model.info.device);
    DescribeProcess(response);
  }

  grpc::ServerUnaryReactor* Describe(grpc::CallbackServerContext* context,
                                     const v1::DescribeRequest* /*request*/,
                                     v1::DescribeResponse* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    const auto model = Model("");
    if (model.ok()) {
      Describe(**model, response);
    } else if (absl::IsNotFound(model.status())) {
      response->set_idle(true);
      DescribeProcess(response);
    } else {
      reactor->Finish(rpc::ToGrpc(model.status()));
      return reactor;
    }
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  grpc::ServerUnaryReactor* EncodeBatch(grpc::CallbackServerContext* context,
                                        const v1::EncodeBatchRequest* request,
                                        v1::EncodeBatchResponse* response) override {
    auto call = std::make_shared<Call>();
    call->reactor = context->DefaultReactor();
    call->context = context;
    call->request = request;
    call->response = response;
    call->arrival = absl::Now();
    auto model = Model(request->space_id());
    if (!model.ok()) {
      call->reactor->Finish(rpc::ToGrpc(model.status()));
      return call->reactor;
    }
    call->model = *std::move(model);
    if (!request->model().empty() && request->model() != call->model->info.name) {
      call->reactor->Finish(
          rpc::ToGrpc(base::MakeError(absl::StatusCode::kNotFound, base::kReasonUnknownModel,
                                      absl::StrCat("this replica serves '", call->model->info.name,
                                                   "', not '", request->model(), "'"))));
    } else if (request->items_size() == 0) {
      call->reactor->Finish(rpc::ToGrpc(
          base::FieldError(base::kReasonInvalidRequest, "items", "the batch is empty")));
    } else if (in_flight_.fetch_add(1) >= call->model->executor->max_in_flight()) {
      in_flight_.fetch_sub(1);
      Refuse(*call);
    } else {
      call->deadlines = ItemDeadlines(*request, call->arrival);
      if (call->model->frontend->IsLight(*request)) {
        Preprocess(call);
      } else if (!pool_.TrySchedule([this, call] { Preprocess(call); })) {
        in_flight_.fetch_sub(1);
        Refuse(*call);
      }
    }
    return call->reactor;
  }

 private:
  // Helpers of ParallelFor share the queue with whole batches and are never refused for good, so
  // it is roomy; batches are bounded by max_in_flight.
  static constexpr size_t kMaxQueuedTasks = 256;

  // The request and response belong to gRPC and live until the reactor is finished.
  struct Call {
    grpc::ServerUnaryReactor* reactor;
    grpc::CallbackServerContext* context;
    const v1::EncodeBatchRequest* request;
    v1::EncodeBatchResponse* response;
    absl::Time arrival;
    absl::Time prepared;
    std::vector<absl::Time> deadlines;
    std::shared_ptr<const ServedModel<Batch>> model;
    std::vector<PreparedItem> items;
  };

  // As ModelSlots::Find. Whoever holds what it returns holds the slot's model.
  absl::StatusOr<std::shared_ptr<const ServedModel<Batch>>> Model(
      const std::string& space_id) const {
    TERMINUS_ASSIGN_OR_RETURN(const std::shared_ptr<const HostedModel> hosted,
                              slots_.Find(space_id));
    return std::shared_ptr<const ServedModel<Batch>>(
        hosted, static_cast<const ServedModel<Batch>*>(hosted->model.get()));
  }

  void DescribeProcess(v1::DescribeResponse* response) const {
    response->set_protocol(kEncoderProtocol);
    response->set_version(kVersion);
    response->set_metrics_address(metrics_address_);
  }

  void Refuse(const Call& call) {
    metrics_.refused_batches.Increment();
    call.reactor->Finish(rpc::ToGrpc(base::WithRetryDelay(
        base::MakeError(absl::StatusCode::kResourceExhausted, base::kReasonOverloaded,
                        absl::StrCat(call.model->executor->max_in_flight(),
                                     " batches are in flight already, the limit")),
        absl::Milliseconds(10))));
  }

  void Preprocess(const std::shared_ptr<Call>& call) {
    metrics_.batch_items.Observe(call->request->items_size());
    const std::vector<absl::Status> admitted = Admit(call->deadlines, absl::Now());
    // The call goes on to the device's thread, which must not be the last to hold the executor: it
    // could not join itself.
    const std::shared_ptr<const ServedModel<Batch>> model = std::move(call->model);
    Prepared<Batch> prepared = model->frontend->PrepareUntil(
        *call->request, admitted, call->deadlines, [call] { return call->context->IsCancelled(); },
        pool_);
    call->response->set_space_id(model->info.space_id);
    call->items = std::move(prepared.items);
    call->prepared = absl::Now();
    call->response->set_bytes_per_token(prepared.bytes_per_token);
    bool any = false;
    for (const PreparedItem& item : call->items) {
      any = any || item.status.ok();
    }
    if (!any) {
      Finish(*call, executor::Embeddings{}, absl::ZeroDuration());
      return;
    }
    // A batch whose caller has left, or whose items are all late, is not computed.
    auto abandoned = [call] {
      return call->context->IsCancelled() || AllExpired(call->deadlines, absl::Now());
    };
    auto done = [this, call](absl::StatusOr<executor::Embeddings> result, absl::Duration compute) {
      Finish(*call, result, compute);
    };
    if (!model->executor->TrySubmit(
            {std::move(prepared.batch), std::move(abandoned), std::move(done)})) {
      Finish(*call, absl::ResourceExhaustedError("the device's queue is full"),
             absl::ZeroDuration());
    }
  }

  void Finish(Call& call, const absl::StatusOr<executor::Embeddings>& result,
              absl::Duration compute) {
    FillResponse(call.items, result, call.response);
    for (const v1::EncodeResult& item : call.response->results()) {
      metrics_.CountItem(item.status().code());
    }
    const absl::Time now = absl::Now();
    const absl::Duration preprocess = call.prepared - call.arrival;
    metrics::Observe(metrics_.preprocess_seconds, preprocess);
    metrics::Observe(metrics_.wait_seconds,
                     std::max(absl::ZeroDuration(), now - call.prepared - compute));
    metrics::Observe(metrics_.compute_seconds, compute);
    metrics::Observe(metrics_.batch_seconds, now - call.arrival);
    call.response->set_preprocess_us(static_cast<uint64_t>(absl::ToInt64Microseconds(preprocess)));
    call.response->set_compute_us(static_cast<uint64_t>(absl::ToInt64Microseconds(compute)));
    // Before the answer leaves: the router may send the next batch at once.
    in_flight_.fetch_sub(1);
    call.reactor->Finish(grpc::Status::OK);
  }

  const std::string metrics_address_;
  ServingMetrics& metrics_;
  std::atomic<int> in_flight_{0};
  ModelSlots slots_;
  // Last: its threads use all of the above until they are joined.
  base::ThreadPool pool_;
};

}  // namespace terminus::serving
