#include "services/router/edge/decoder_call.h"

#include <algorithm>
#include <utility>

#include "common/base/errors.h"
#include "common/base/status_macros.h"
#include "common/rpc/status.h"
#include "services/router/edge/trailers.h"
#include "services/router/edge/validate.h"

namespace terminus::services::router::edge {

absl::Status CheckDecoder(const DecoderParts& parts) {
  if (parts.decoders != nullptr) {
    return absl::OkStatus();
  }
  return base::MakeError(absl::StatusCode::kUnimplemented, base::kReasonUnsupportedModality,
                         "this cluster runs no decoder service: it embeds and nothing else");
}

bool IsLost(const absl::Status& status) {
  // A decoder that answers attaches a reason; a connection that breaks has none.
  return absl::IsUnavailable(status) && base::Reason(status).empty();
}

DecoderCall::DecoderCall(const DecoderParts& parts, grpc::CallbackServerContext* context,
                         MethodMetrics& metrics)
    : parts_(parts),
      edge_(parts.edge),
      context_(context),
      metrics_(metrics),
      request_context_(rpc::ContextOf(*context, parts.edge.default_deadline)),
      encode_(edge_, *parts.cache, request_context_) {}

void DecoderCall::Start() {
  std::vector<EncodeSet::Item> items;
  if (const absl::Status status = Begin(items); !status.ok()) {
    Answer(status);
    return;
  }
  encode_.Start(model_, items, [this] { OnEncoded(); });
}

absl::Status DecoderCall::Begin(std::vector<EncodeSet::Item>& items) {
  TERMINUS_RETURN_IF_ERROR(CheckDecoder(parts_));
  TERMINUS_ASSIGN_OR_RETURN(model_, edge_.FindModel(model_name()));
  if (compares_vectors()) {
    TERMINUS_RETURN_IF_ERROR(CheckMakesVectors(*model_));
  }
  TERMINUS_RETURN_IF_ERROR(TakeIn(items));
  TERMINUS_ASSIGN_OR_RETURN(permit_, parts_.edge.admission->TryAdmit(
                                         std::max<int64_t>(1, items.size()), request_bytes()));
  return absl::OkStatus();
}

void DecoderCall::OnEncoded() {
  const absl::StatusOr<bool> asks = Encoded(encode_.results());
  if (!asks.ok() || !*asks) {
    Answer(asks.status());
    return;
  }
  Attempt();
}

void DecoderCall::Attempt() {
  auto lease = parts_.decoders->Pin(model_->space_id);
  if (!lease.ok()) {
    Answer(lease.status());
    return;
  }
  lease_ = *std::move(lease);
  grpc::ClientContext* context = nullptr;
  {
    base::MutexLock lock(mutex_);
    if (!cancelled_) {
      asked_ = std::make_shared<grpc::ClientContext>();
      context = asked_.get();
    }
  }
  if (context == nullptr) {
    Answer(base::MakeError(absl::StatusCode::kCancelled, base::kReasonCancelled,
                           "the caller left before the decoder was asked"));
    return;
  }
  rpc::Propagate(request_context_, context);
  context->AddMetadata(rpc::kSpaceIdKey, model_->space_id);
  Send(lease_.stub(), context,
       [this](const grpc::Status& status) { OnAnswer(rpc::FromGrpc(status)); });
}

void DecoderCall::OnAnswer(const absl::Status& status) {
  {
    base::MutexLock lock(mutex_);
    asked_.reset();
  }
  const bool lost = IsLost(status);
  if (lost) {
    lease_.ReportLost();
  }
  if (lost && !std::exchange(retried_, true)) {
    Attempt();
    return;
  }
  if (status.ok()) {
    Complete();
  }
  Answer(lost ? base::WithRetryDelay(
                    base::MakeError(absl::StatusCode::kUnavailable, base::kReasonReplicaLost,
                                    "the decoder replica that had this request was lost"),
                    absl::Milliseconds(500))
              : status);
}

void DecoderCall::OnCancel() {
  encode_.Cancel();
  std::shared_ptr<grpc::ClientContext> asked;
  {
    base::MutexLock lock(mutex_);
    cancelled_ = true;
    asked = asked_;
  }
  if (asked != nullptr) {
    asked->TryCancel();
  }
}

void DecoderCall::Answer(const absl::Status& status) {
  AddTrailers(
      request_context_,
      {.queue = encode_.queue(), .preprocess = encode_.preprocess(), .compute = encode_.compute()},
      *context_);
  metrics_.CountRequest(absl::Now() - arrived_);
  metrics_.CountCall(status.raw_code());
  // Before the answer: who has it and calls again must find room.
  permit_ = admission::Permit();
  Finish(rpc::ToGrpc(status));
}

}  // namespace terminus::services::router::edge
