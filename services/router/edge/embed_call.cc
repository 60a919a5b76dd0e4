#include "services/router/edge/embed_call.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/rpc/status.h"
#include "services/router/edge/answer.h"
#include "services/router/edge/validate.h"

namespace terminus::services::router::edge {
namespace {

std::string FieldOf(uint64_t slot) { return absl::StrCat("items[", slot, "]"); }

}  // namespace

EmbedCall::EmbedCall(const Edge& edge, grpc::CallbackServerContext* context,
                     v1::EmbedRequest* request, v1::EmbedResponse* response)
    : edge_(edge),
      context_(context),
      request_(request),
      response_(response),
      request_context_(rpc::ContextOf(*context, edge.parts().default_deadline)) {}

void EmbedCall::Start() {
  std::vector<std::unique_ptr<dispatch::EncodeTask>> tasks;
  if (const absl::Status status = TakeIn(tasks); !status.ok()) {
    Answer(status);
    return;
  }
  unanswered_.fetch_add(static_cast<int>(tasks.size()), std::memory_order_relaxed);
  edge_.Submit(std::move(tasks));
  Release();
}

absl::Status EmbedCall::TakeIn(std::vector<std::unique_ptr<dispatch::EncodeTask>>& tasks) {
  const int items = request_->items_size();
  TERMINUS_RETURN_IF_ERROR(CheckItemCount(items, edge_.parts().limits));
  TERMINUS_ASSIGN_OR_RETURN(scope_.model, edge_.CheckCall(request_->model(), request_->options()));
  TERMINUS_ASSIGN_OR_RETURN(permit_, edge_.parts().admission->TryAdmit(
                                         items, static_cast<int64_t>(request_->ByteSizeLong())));
  scope_.options = std::move(*request_->mutable_options());
  scope_.deadline = request_context_.deadline;
  scope_.cancel = cancel_;
  scope_.owner = this;
  timings_.resize(items);
  tasks.reserve(items);
  response_->mutable_results()->Reserve(items);
  for (int i = 0; i < items; ++i) {
    auto task =
        edge_.TakeIn(*request_->mutable_items(i), FieldOf(i), scope_, i, *response_->add_results());
    if (task != nullptr) {
      tasks.push_back(std::move(task));
    }
  }
  return absl::OkStatus();
}

void EmbedCall::OnEncoded(uint64_t slot, dispatch::EncodeOutcome outcome) {
  timings_[slot] = {outcome.queue, outcome.preprocess, outcome.compute};
  Edge::WriteOutcome(outcome, FieldOf(slot), scope_.options,
                     *response_->mutable_results(static_cast<int>(slot)));
  Release();
}

void EmbedCall::OnCancel() {
  cancel_->Raise();
  edge_.SweepCancelled();
}

void EmbedCall::Release() {
  if (unanswered_.fetch_sub(1, std::memory_order_acq_rel) > 1) {
    return;
  }
  MethodMetrics& metrics = edge_.parts().metrics->embed;
  for (const v1::EmbedResult& result : response_->results()) {
    metrics.CountItem(result.status().code());
  }
  response_->set_space_id(scope_.model->space_id);
  Answer(CallStatus(*response_));
}

void EmbedCall::Answer(const absl::Status& status) {
  AddTrailers();
  MethodMetrics& metrics = edge_.parts().metrics->embed;
  metrics.CountRequest(absl::Now() - arrived_);
  metrics.CountCall(status.raw_code());
  // Before the answer: who has it and calls again must find room.
  permit_ = admission::Permit();
  Finish(rpc::ToGrpc(status));
}

void EmbedCall::AddTrailers() {
  Timing longest;
  for (const Timing& timing : timings_) {
    longest.queue = std::max(longest.queue, timing.queue);
    longest.preprocess = std::max(longest.preprocess, timing.preprocess);
    longest.compute = std::max(longest.compute, timing.compute);
  }
  edge::AddTrailers(request_context_, longest, *context_);
}

}  // namespace terminus::services::router::edge
