#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "common/base/mutex.h"
#include "common/rpc/context.h"
#include "services/router/admission/admission.h"
#include "services/router/dispatch/decoder_pool.h"
#include "services/router/edge/edge.h"
#include "services/router/edge/encode_set.h"

namespace terminus::services::router::edge {

// What all calls that end at the decoder share. Everything pointed to outlives them.
struct DecoderParts {
  EdgeParts edge;
  // Null when the cluster has no decoder.
  dispatch::DecoderPool* decoders = nullptr;
  cache::EncodedCache* cache = nullptr;
};

// UNIMPLEMENTED, saying so, when the cluster has no decoder.
absl::Status CheckDecoder(const DecoderParts& parts);

// Whether a call to a decoder failed because the decoder is gone: another one may be asked.
bool IsLost(const absl::Status& status);

// A unary call in three steps: its contents go through their encoders, what they make of it goes to
// the decoder, the answer goes back. A decoder that is lost meanwhile is replaced once. Deletes
// itself when its answer is written.
class DecoderCall : public grpc::ServerUnaryReactor {
 public:
  void Start();
  void OnCancel() final;
  void OnDone() final { delete this; }

 protected:
  DecoderCall(const DecoderParts& parts, grpc::CallbackServerContext* context,
              MethodMetrics& metrics);

  // Checks the request and lists its contents.
  virtual absl::Status TakeIn(std::vector<EncodeSet::Item>& items) = 0;
  virtual const std::string& model_name() const = 0;
  // Whether it is about vectors, which a language model does not make.
  virtual bool compares_vectors() const = 0;
  virtual int64_t request_bytes() const = 0;
  // The contents are encoded: writes the decoder's request. False when the answer is complete
  // without it.
  virtual absl::StatusOr<bool> Encoded(const std::vector<EncodeSet::Result>& results) = 0;
  // Starts the decoder's call; `done` as gRPC calls it.
  virtual void Send(v1::Decoder::Stub& stub, grpc::ClientContext* context,
                    std::function<void(grpc::Status)> done) = 0;
  // The decoder answered.
  virtual void Complete() {}

  const DecoderParts& parts() const { return parts_; }

 private:
  absl::Status Begin(std::vector<EncodeSet::Item>& items);
  void OnEncoded();
  void Attempt();
  void OnAnswer(const absl::Status& status);
  void Answer(const absl::Status& status);

  const DecoderParts& parts_;
  const Edge edge_;
  const absl::Time arrived_ = absl::Now();
  grpc::CallbackServerContext* const context_;
  MethodMetrics& metrics_;
  const rpc::RequestContext request_context_;
  std::shared_ptr<const dispatch::ServedModel> model_;
  admission::Permit permit_;
  EncodeSet encode_;
  bool retried_ = false;
  dispatch::DecoderPool::Lease lease_;
  base::Mutex mutex_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  // While the decoder is being asked; shared with whoever cancels it, gone before the lease is.
  std::shared_ptr<grpc::ClientContext> asked_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace terminus::services::router::edge
