#include "services/router/edge/generate_call.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"
#include "common/rpc/status.h"
#include "services/router/edge/trailers.h"

namespace terminus::services::router::edge {
namespace {

// The model reads text and nothing else as yet; the decoder checks what is in it.
absl::Status CheckParts(const v1::GenerateRequest& request, const config::Limits& limits) {
  for (int m = 0; m < request.messages_size(); ++m) {
    const auto& parts = request.messages(m).parts();
    for (int p = 0; p < parts.size(); ++p) {
      const std::string field = absl::StrCat("messages[", m, "].parts[", p, "]");
      if (!parts[p].has_text()) {
        return base::FieldError(base::kReasonUnsupportedModality, field,
                                "the served language model reads text and nothing else");
      }
      if (static_cast<int64_t>(parts[p].text().size()) > limits.max_text_bytes) {
        return base::FieldError(
            base::kReasonTextTooLong, absl::StrCat(field, ".text"),
            absl::StrCat("the text has ", parts[p].text().size(), " bytes, at most ",
                         limits.max_text_bytes, " are taken"));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

GenerateCall::GenerateCall(const DecoderParts& parts, grpc::CallbackServerContext* context,
                           const v1::GenerateRequest* request)
    : parts_(parts),
      edge_(parts.edge),
      context_(context),
      request_context_(rpc::ContextOf(*context, parts.edge.default_deadline)),
      request_(request) {}

void GenerateCall::Start() {
  if (const absl::Status status = Begin(); !status.ok()) {
    Answer(status);
    return;
  }
  Attempt();
}

absl::Status GenerateCall::Begin() {
  TERMINUS_RETURN_IF_ERROR(CheckDecoder(parts_));
  TERMINUS_ASSIGN_OR_RETURN(model_, edge_.FindModel(request_->model()));
  TERMINUS_RETURN_IF_ERROR(CheckParts(*request_, parts_.edge.limits));
  TERMINUS_ASSIGN_OR_RETURN(
      permit_, parts_.edge.admission->TryAdmit(1, static_cast<int64_t>(request_->ByteSizeLong())));
  *asked_.mutable_request() = *request_;
  return absl::OkStatus();
}

void GenerateCall::Attempt() {
  auto lease = parts_.decoders->Pin(model_->space_id);
  if (!lease.ok()) {
    Answer(lease.status());
    return;
  }
  lease_ = *std::move(lease);
  const auto upstream = std::make_shared<Upstream>(this);
  rpc::Propagate(request_context_, &upstream->context);
  upstream->context.AddMetadata(rpc::kSpaceIdKey, model_->space_id);
  bool cancelled = false;
  {
    base::MutexLock lock(mutex_);
    cancelled = cancelled_;
    upstream_ = upstream;
  }
  if (cancelled) {
    // Ends by itself as soon as it starts.
    upstream->context.TryCancel();
  }
  lease_.stub().async()->Generate(&upstream->context, &asked_, upstream.get());
  upstream->StartRead(&message_);
  upstream->StartCall();
}

std::shared_ptr<GenerateCall::Upstream> GenerateCall::upstream() {
  base::MutexLock lock(mutex_);
  return upstream_;
}

void GenerateCall::Forward(Upstream& upstream) {
  sent_ = true;
  model_.reset();
  // The decoder's stream must not end while its message is being written.
  upstream.AddHold();
  StartWrite(&message_);
}

void GenerateCall::OnWriteDone(bool ok) {
  const auto held = upstream();
  if (ok) {
    held->StartRead(&message_);
  } else {
    held->context.TryCancel();
  }
  held->RemoveHold();
}

void GenerateCall::OnCancel() {
  {
    base::MutexLock lock(mutex_);
    cancelled_ = true;
  }
  if (const auto running = upstream(); running != nullptr) {
    running->context.TryCancel();
  }
}

void GenerateCall::OnUpstreamDone(const grpc::Status& grpc_status) {
  const absl::Status status = rpc::FromGrpc(grpc_status);
  {
    base::MutexLock lock(mutex_);
    upstream_.reset();
  }
  const bool lost = IsLost(status);
  if (lost) {
    lease_.ReportLost();
  }
  if (lost && !sent_ && !std::exchange(retried_, true)) {
    Attempt();
    return;
  }
  Answer(lost ? base::WithRetryDelay(
                    base::MakeError(absl::StatusCode::kUnavailable, base::kReasonReplicaLost,
                                    "the decoder replica that had this request was lost"),
                    absl::Milliseconds(500))
              : status);
}

void GenerateCall::Answer(const absl::Status& status) {
  AddTrailers(request_context_, {}, *context_);
  MethodMetrics& metrics = parts_.edge.metrics->generate;
  metrics.CountRequest(absl::Now() - arrived_);
  metrics.CountCall(status.raw_code());
  permit_ = admission::Permit();
  Finish(rpc::ToGrpc(status));
}

}  // namespace terminus::services::router::edge
