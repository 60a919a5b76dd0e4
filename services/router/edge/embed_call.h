#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/rpc/context.h"
#include "services/router/admission/admission.h"
#include "services/router/edge/edge.h"
#include "services/router/edge/trailers.h"

namespace terminus::services::router::edge {

// One Embed call, from its arrival until its answer is written; deletes itself then.
class EmbedCall final : public grpc::ServerUnaryReactor, public dispatch::EncodeOwner {
 public:
  // `edge` must outlive the call. The request's contents are moved out of it.
  EmbedCall(const Edge& edge, grpc::CallbackServerContext* context, v1::EmbedRequest* request,
            v1::EmbedResponse* response);

  void Start();

  void OnEncoded(uint64_t slot, dispatch::EncodeOutcome outcome) override;
  const rpc::RequestContext& request() const override { return request_context_; }

  void OnCancel() override;
  void OnDone() override { delete this; }

 private:
  absl::Status TakeIn(std::vector<std::unique_ptr<dispatch::EncodeTask>>& tasks);
  // The last one to let go writes the answer.
  void Release();
  void Answer(const absl::Status& status);
  void AddTrailers();

  const Edge& edge_;
  const absl::Time arrived_ = absl::Now();
  grpc::CallbackServerContext* const context_;
  v1::EmbedRequest* const request_;
  v1::EmbedResponse* const response_;
  const rpc::RequestContext request_context_;
  const std::shared_ptr<batching::CancelFlag> cancel_ = std::make_shared<batching::CancelFlag>();
  CallScope scope_;
  admission::Permit permit_;
  // One an item. Slots are written without a lock, each by one thread; `unanswered_` orders that
  // before the answer is written.
  std::vector<Timing> timings_;
  // Tasks without an outcome, and one for Start itself.
  std::atomic<int> unanswered_{1};
};

}  // namespace terminus::services::router::edge
