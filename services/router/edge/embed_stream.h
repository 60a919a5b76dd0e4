#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "common/base/mutex.h"
#include "common/rpc/context.h"
#include "services/router/admission/admission.h"
#include "services/router/edge/edge.h"

namespace terminus::services::router::edge {

// One EmbedStream call; deletes itself when all is written.
//
// Flow control: at most `limits.max_stream_in_flight` items are inside, from being read to having
// been written. Past that nothing is read, so the transport's windows fill and the client waits.
// One write is under way at a time. Each item is encoded by the model that is served when it comes,
// which its answer names. An item the router has no room for waits, and nothing is read
// behind it, as long as other items of the same stream are inside and will free some.
class EmbedStreamCall final
    : public grpc::ServerBidiReactor<v1::EmbedStreamRequest, v1::EmbedStreamResponse>,
      public dispatch::EncodeOwner {
 public:
  // `edge` must outlive the call.
  EmbedStreamCall(const Edge& edge, grpc::CallbackServerContext* context);

  void Start();

  void OnEncoded(uint64_t slot, dispatch::EncodeOutcome outcome) override;
  const rpc::RequestContext& request() const override { return request_context_; }

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override { delete this; }

 private:
  // From being read to being answered.
  struct Item {
    uint64_t correlation_id = 0;
    absl::Time arrived;
    std::string space_id;
    v1::EmbedResult result;
    admission::Permit permit;
  };

  // What was decided under the lock and is done after it: gRPC may call back from inside.
  struct Moves {
    bool read = false;
    bool write = false;
    bool finish = false;
    absl::StatusCode code = absl::StatusCode::kOk;
    std::unique_ptr<dispatch::EncodeTask> submit;
  };

  // False when the first message is at fault; the call is finished then.
  bool Open();
  void TakeIn();
  // Finds room for the parked item, if there is one; true when there is none any more.
  bool Admit(Moves& moves) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Answer(uint64_t slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Moves Next() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Perform(Moves moves);

  const Edge& edge_;
  grpc::CallbackServerContext* const context_;
  const rpc::RequestContext request_context_;
  const std::shared_ptr<batching::CancelFlag> cancel_ = std::make_shared<batching::CancelFlag>();

  // These belong to the read under way, or to the one thread that handles it.
  v1::EmbedStreamRequest incoming_;
  // Set by the first message; after it only the deadline changes, with each read. The model is
  // there only while an item is taken in, so that a stream that rests keeps none in use.
  CallScope scope_;
  std::string model_;
  bool opened_ = false;
  uint64_t last_slot_ = 0;

  // Belongs to the write under way.
  v1::EmbedStreamResponse outgoing_;

  base::Mutex mutex_;
  std::unordered_map<uint64_t, Item> items_ ABSL_GUARDED_BY(mutex_);
  std::deque<v1::EmbedStreamResponse> outbox_ ABSL_GUARDED_BY(mutex_);
  // An item, in items_ already, that waits for a permit.
  std::unique_ptr<dispatch::EncodeTask> parked_ ABSL_GUARDED_BY(mutex_);
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool no_more_reads_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace terminus::services::router::edge
