#include "services/router/edge/embed_stream.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/rpc/status.h"
#include "services/router/edge/answer.h"
#include "services/router/edge/content_hash.h"

namespace terminus::services::router::edge {
namespace {

constexpr char kField[] = "item";

}  // namespace

EmbedStreamCall::EmbedStreamCall(const Edge& edge, grpc::CallbackServerContext* context)
    : edge_(edge),
      context_(context),
      request_context_(rpc::ContextOf(*context, edge.parts().default_deadline)) {}

void EmbedStreamCall::Start() {
  context_->AddTrailingMetadata("x-request-id", request_context_.request_id);
  Moves moves;
  {
    base::MutexLock lock(mutex_);
    moves = Next();
  }
  Perform(std::move(moves));
}

void EmbedStreamCall::OnReadDone(bool ok) {
  if (ok && !opened_ && !Open()) {
    return;
  }
  if (ok) {
    TakeIn();
  }
  Moves moves;
  {
    base::MutexLock lock(mutex_);
    reading_ = false;
    no_more_reads_ |= !ok || cancelled_;
    moves = Next();
  }
  Perform(std::move(moves));
}

bool EmbedStreamCall::Open() {
  auto model = edge_.CheckCall(incoming_.model(), incoming_.options());
  if (!model.ok()) {
    {
      base::MutexLock lock(mutex_);
      finished_ = true;
    }
    edge_.parts().metrics->embed_stream.CountCall(model.status().raw_code());
    Finish(rpc::ToGrpc(model.status()));
    return false;
  }
  scope_ = {.options = std::move(*incoming_.mutable_options()), .cancel = cancel_, .owner = this};
  model_ = std::move(*incoming_.mutable_model());
  opened_ = true;
  return true;
}

void EmbedStreamCall::TakeIn() {
  Item item{.correlation_id = incoming_.correlation_id(), .arrived = absl::Now()};
  // A stream may last; each of its items has as long as a call without a deadline.
  scope_.deadline = std::min(absl::FromChrono(context_->deadline()),
                             item.arrived + edge_.parts().default_deadline);
  const uint64_t slot = ++last_slot_;
  std::unique_ptr<dispatch::EncodeTask> task;
  // The model may have been replaced since the last item.
  if (auto model = edge_.CheckCall(model_, scope_.options); model.ok()) {
    scope_.model = *std::move(model);
    item.space_id = scope_.model->space_id;
    task = edge_.TakeIn(*incoming_.mutable_item(), kField, scope_, slot, item.result);
    scope_.model.reset();
  } else {
    item.result.set_content_hash(ContentHash(incoming_.item()));
    WriteError(model.status(), item.result);
  }
  incoming_.Clear();
  base::MutexLock lock(mutex_);
  items_.emplace(slot, std::move(item));
  if (task == nullptr) {
    Answer(slot);
  } else {
    parked_ = std::move(task);
  }
}

void EmbedStreamCall::OnEncoded(uint64_t slot, dispatch::EncodeOutcome outcome) {
  v1::EmbedResult result;
  Edge::WriteOutcome(outcome, kField, scope_.options, result);
  Moves moves;
  {
    base::MutexLock lock(mutex_);
    Item& item = items_.at(slot);
    result.set_content_hash(std::move(*item.result.mutable_content_hash()));
    item.result = std::move(result);
    Answer(slot);
    moves = Next();
  }
  Perform(std::move(moves));
}

void EmbedStreamCall::OnWriteDone(bool ok) {
  Moves moves;
  {
    base::MutexLock lock(mutex_);
    writing_ = false;
    if (!ok) {
      outbox_.clear();
    }
    moves = Next();
  }
  Perform(std::move(moves));
}

void EmbedStreamCall::OnCancel() {
  cancel_->Raise();
  Moves moves;
  {
    base::MutexLock lock(mutex_);
    cancelled_ = true;
    no_more_reads_ |= !reading_;
    outbox_.clear();
    moves = Next();
  }
  Perform(std::move(moves));
  edge_.SweepCancelled();
}

void EmbedStreamCall::Answer(uint64_t slot) {
  const auto found = items_.find(slot);
  Item& item = found->second;
  MethodMetrics& metrics = edge_.parts().metrics->embed_stream;
  metrics.CountItem(item.result.status().code());
  metrics.CountRequest(absl::Now() - item.arrived);
  if (!cancelled_) {
    v1::EmbedStreamResponse& response = outbox_.emplace_back();
    response.set_correlation_id(item.correlation_id);
    *response.mutable_result() = std::move(item.result);
    response.set_space_id(std::move(item.space_id));
  }
  items_.erase(found);
}

bool EmbedStreamCall::Admit(Moves& moves) {
  if (parked_ == nullptr) {
    return true;
  }
  const uint64_t slot = parked_->slot;
  Item& item = items_.at(slot);
  absl::Status status = absl::CancelledError();
  if (!cancelled_) {
    auto permit = edge_.parts().admission->TryAdmit(1, parked_->bytes);
    if (permit.ok()) {
      item.permit = *std::move(permit);
      moves.submit = std::move(parked_);
      return true;
    }
    if (items_.size() > 1) {
      return false;
    }
    // Nothing of this stream will make room.
    status = permit.status();
  }
  parked_.reset();
  WriteError(status, item.result);
  Answer(slot);
  return true;
}

EmbedStreamCall::Moves EmbedStreamCall::Next() {
  Moves moves;
  const bool room = Admit(moves);
  const auto inside = items_.size() + outbox_.size() + (writing_ ? 1 : 0);
  if (room && !reading_ && !no_more_reads_ &&
      inside < static_cast<size_t>(edge_.parts().limits.max_stream_in_flight)) {
    reading_ = moves.read = true;
  }
  if (!writing_ && !outbox_.empty()) {
    outgoing_ = std::move(outbox_.front());
    outbox_.pop_front();
    writing_ = moves.write = true;
  }
  if (!finished_ && no_more_reads_ && items_.empty() && outbox_.empty() && !writing_) {
    finished_ = moves.finish = true;
    moves.code = cancelled_ ? absl::StatusCode::kCancelled : absl::StatusCode::kOk;
  }
  return moves;
}

void EmbedStreamCall::Perform(Moves moves) {
  // After the last of these the call may be gone; each by itself keeps it alive until it is done.
  if (moves.finish) {
    edge_.parts().metrics->embed_stream.CountCall(static_cast<int>(moves.code));
    Finish(grpc::Status::OK);
    return;
  }
  if (moves.write) {
    StartWrite(&outgoing_);
  }
  if (moves.submit != nullptr) {
    std::vector<std::unique_ptr<dispatch::EncodeTask>> tasks;
    tasks.push_back(std::move(moves.submit));
    edge_.Submit(std::move(tasks));
  }
  if (moves.read) {
    StartRead(&incoming_);
  }
}

}  // namespace terminus::services::router::edge
