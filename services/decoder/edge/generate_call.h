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
#include "common/grammar/grammar_cache.h"
#include "common/rpc/context.h"
#include "services/decoder/edge/choice_text.h"
#include "services/decoder/edge/edge_metrics.h"
#include "services/decoder/edge/outbox.h"
#include "services/decoder/edge/served.h"
#include "services/decoder/edge/validate.h"
#include "services/decoder/pipeline/generation.h"
#include "terminus/v1/decoder.grpc.pb.h"

namespace terminus::services::decoder::edge {

// What a call works with. Requires: the objects that are pointed to outlive the call.
struct CallParts {
  // Has a model. The call ends on this bundle, also when another one replaces it.
  std::shared_ptr<const ServedBundle> bundle;
  base::ThreadPool* pool = nullptr;
  EdgeMetrics* metrics = nullptr;
  absl::Duration default_deadline;
  // Called once, before the call's status is sent, so that the next call can be admitted.
  std::function<void()> leave;
};

// One Generate call.
//
// Threads: the pool tokenises the prompt; the model's compiler, on threads of its own, compiles the
// output format; the engine's thread leaves tokens here; the pool turns
// them into text, in one task at a time; gRPC's threads write. A choice whose reader is
// kMaxUnsentTokens tokens behind is paused until the reader has caught up. Tokens that gather in
// the meantime go out in one delta, so that a choice never holds more than that many and those of
// the steps in flight.
//
// Life: from Start until gRPC has finished with the call (OnDone). The engine and the pool's tasks
// hold shared pointers to it.
class GenerateCall final : public grpc::ServerWriteReactor<v1::GenerateResponse>,
                           public pipeline::TokenSink,
                           public std::enable_shared_from_this<GenerateCall> {
 public:
  static constexpr int kMaxUnsentTokens = 64;

  // Starts the call, which finishes and deletes itself. Requires: the service has admitted it.
  static GenerateCall* Start(CallParts parts, grpc::CallbackServerContext* context,
                             GenerateWish wish);

  bool Full(int choice) const override;
  void OnToken(int choice, models::sampling::Sampled token) override;
  void OnEnd(int choice, pipeline::EndReason reason) override;
  void OnDone(const absl::Status& status, const pipeline::GenerationReport& report) override;

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override { self_.reset(); }

 private:
  struct TokenEvent {
    int choice;
    models::sampling::Sampled token;
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

  GenerateCall(CallParts parts, grpc::CallbackServerContext* context, GenerateWish wish);

  // On the pool: tokenises the prompt, has the output format compiled if there is one, and submits
  // the generation to the engine.
  void Prepare();
  void CompileFormat();
  // On the pool: the format is compiled.
  void OnCompiled(const grammar::Compiled& compiled);
  void Submit();
  void Fail(const absl::Status& status);
  // Ends the call because of its output format.
  void FailFormat(const absl::Status& status);

  void Post(Event event);
  // On the pool, one at a time: handles events until there are none.
  void Drain();
  void Take(TokenEvent& event);
  void Take(EndEvent& event);
  void Take(DoneEvent& event);
  v1::Usage UsageOf(const pipeline::GenerationReport& report) const;
  void Send(int choice, v1::TextDelta delta);

  // Does what the outbox said under the lock. After the lock is released, because gRPC may call
  // back from inside.
  void Perform(Outbox::Move move);
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
  // Belongs to Prepare and what follows it, until it is submitted.
  pipeline::Generation prepared_;
  // Belongs to Drain: not OK once a token could not be made text of.
  absl::Status text_status_;

  // Tokens of each choice that the engine gave and that have not been written.
  std::array<std::atomic<int>, pipeline::kMaxChoices> unsent_{};

  base::Mutex mutex_;
  absl::optional<uint64_t> generation_ ABSL_GUARDED_BY(mutex_);
  // The format's compilation, from its start on.
  absl::optional<uint64_t> compilation_ ABSL_GUARDED_BY(mutex_);
  std::vector<Event> events_ ABSL_GUARDED_BY(mutex_);
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  // The message in it is gRPC's while it is written.
  Outbox outbox_ ABSL_GUARDED_BY(mutex_);
  pipeline::GenerationReport report_ ABSL_GUARDED_BY(mutex_);
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace terminus::services::decoder::edge
