#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/client_callback.h>
#include <grpcpp/support/server_callback.h>

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "common/base/mutex.h"
#include "services/router/edge/decoder_call.h"
#include "terminus/v1/generation.pb.h"

namespace terminus::services::router::edge {

// One Generate: what the decoder streams goes on to the client, one message at a time, so that a
// client that reads slowly slows the decoder and nothing piles up here. A decoder that is lost
// before it said anything is replaced once; later the stream ends UNAVAILABLE, for the client has
// seen a part of the answer. Deletes itself when the stream has ended.
class GenerateCall final : public grpc::ServerWriteReactor<v1::GenerateResponse> {
 public:
  GenerateCall(const DecoderParts& parts, grpc::CallbackServerContext* context,
               const v1::GenerateRequest* request);

  void Start();

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override { delete this; }

 private:
  // The decoder's end of the stream.
  class Upstream final : public grpc::ClientReadReactor<v1::GenerateResponse> {
   public:
    explicit Upstream(GenerateCall* call) : call_(call) {}
    void OnReadDone(bool ok) override {
      if (ok) call_->Forward(*this);
    }
    void OnDone(const grpc::Status& status) override { call_->OnUpstreamDone(status); }

    grpc::ClientContext context;

   private:
    GenerateCall* const call_;
  };

  absl::Status Begin();
  void Attempt();
  std::shared_ptr<Upstream> upstream();
  void Forward(Upstream& upstream);
  void OnUpstreamDone(const grpc::Status& grpc_status);
  void Answer(const absl::Status& status);

  const DecoderParts& parts_;
  const Edge edge_;
  const absl::Time arrived_ = absl::Now();
  grpc::CallbackServerContext* const context_;
  const rpc::RequestContext request_context_;
  const v1::GenerateRequest* const request_;
  v1::DecoderGenerateRequest asked_;
  v1::GenerateResponse message_;
  // What the call was checked against, until the decoder has begun to answer.
  std::shared_ptr<const dispatch::ServedModel> model_;
  admission::Permit permit_;
  // Something went to the client: no other decoder can start over.
  bool sent_ = false;
  bool retried_ = false;
  dispatch::DecoderPool::Lease lease_;
  base::Mutex mutex_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  // Shared with whoever cancels it; gone before the lease is.
  std::shared_ptr<Upstream> upstream_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace terminus::services::router::edge
