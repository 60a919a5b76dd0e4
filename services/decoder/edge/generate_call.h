#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "common/base/mutex.h"
#include "common/base/thread_pool.h"
#include "common/rpc/context.h"
#include "services/decoder/edge/choice_text.h"
#include "services/decoder/edge/edge_metrics.h"
#include "services/decoder/edge/served.h"
#include "services/decoder/edge/validate.h"
#include "services/decoder/pipeline/generation.h"
#include "terminus/v1/decoder.grpc.pb.h"

namespace terminus::services::decoder::edge {

// What a call works with; what is pointed to outlives the call.
struct CallParts {
  // Has a model. The call's own share of it: it ends on this one.
  std::shared_ptr<const ServedBundle> bundle;
  base::ThreadPool* pool = nullptr;
  EdgeMetrics* metrics = nullptr;
  absl::Duration default_deadline;
  // Called once, before the call's status is sent: the next may come.
  std::function<void()> leave;
};

// One Generate call.
//
// Threads: the prompt is tokenised on the pool; the engine's thread leaves tokens here; the pool
// makes text of them, for one call in one place at a time; gRPC's threads write. A choice whose
// reader is behind by kMaxUnsentTokens tokens rests until it has caught up; what gathers meanwhile
// goes out in one delta, so that at most that much is kept for a choice.
//
// Life: from Start until gRPC has no use for it (OnDone). The engine and tasks on the pool hold it
// by themselves.
class GenerateCall final : public grpc::ServerWriteReactor<v1::GenerateResponse>,
                           public pipeline::TokenSink,
                           public std::enable_shared_from_this<GenerateCall> {
 public:
  static constexpr int kMaxUnsentTokens = 64;

  // A place for this call has been taken; it finishes, and deletes itself, in its own time.
  static GenerateCall* Start(CallParts parts, grpc::CallbackServerContext* context,
                             GenerateWish wish);

  bool Full(int choice) const override;
  void OnToken(int choice, sampling::Sampled token) override;
  void OnEnd(int choice, pipeline::EndReason reason) override;
  void OnDone(const absl::Status& status, const pipeline::GenerationReport& report) override;

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override { self_.reset(); }

 private:
  struct TokenEvent {
    int choice;
    sampling::Sampled token;
  };
  struct EndEvent {
    int choice;
    pipeline::EndReason reason;
  };
  struct DoneEvent {
    absl::Status status;
    pipeline::GenerationReport report;
  };
  using Event = std::variant<TokenEvent, EndEvent, DoneEvent>;

  // What was decided under the lock and is done after it: gRPC may call back from inside.
  struct Moves {
    bool write = false;
    bool finish = false;
  };

  GenerateCall(CallParts parts, grpc::CallbackServerContext* context, GenerateWish wish);

  // On the pool: the prompt's tokens, then to the engine.
  void Prepare();
  absl::StatusOr<pipeline::Generation> MakeGeneration();
  void Fail(const absl::Status& status);

  void Post(Event event);
  // On the pool, one at a time: takes events in until there are none.
  void Drain();
  void Take(TokenEvent& event);
  void Take(EndEvent& event);
  void Take(DoneEvent& event);
  void Send(int choice, const v1::TextDelta& delta);

  Moves Next() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Perform(const Moves& moves);
  void AddTrailers();
  // Ends the generation early, if there is one.
  void Abandon() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const CallParts parts_;
  grpc::CallbackServerContext* const context_;
  const rpc::RequestContext request_context_;
  const absl::Time arrival_;
  std::shared_ptr<GenerateCall> self_;

  const GenerateWish wish_;
  // Belongs to Prepare, then to Drain.
  std::vector<ChoiceText> choices_;

  // Tokens of each choice that the engine gave and that have not been written.
  std::array<std::atomic<int>, pipeline::kMaxChoices> unsent_{};

  // Belong to the write under way.
  v1::GenerateResponse outgoing_;
  int outgoing_tokens_ = 0;

  base::Mutex mutex_;
  absl::optional<uint64_t> generation_ ABSL_GUARDED_BY(mutex_);
  std::vector<Event> events_ ABSL_GUARDED_BY(mutex_);
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  // What each choice gained since its last delta was sent.
  std::array<absl::optional<v1::TextDelta>, pipeline::kMaxChoices> outbox_ ABSL_GUARDED_BY(mutex_);
  int next_choice_ ABSL_GUARDED_BY(mutex_) = 0;
  // The last message, once all else is known.
  absl::optional<v1::Usage> usage_ ABSL_GUARDED_BY(mutex_);
  // Set when nothing more comes: how the call ends.
  absl::optional<absl::Status> status_ ABSL_GUARDED_BY(mutex_);
  pipeline::GenerationReport report_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace terminus::services::decoder::edge
