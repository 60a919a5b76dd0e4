#include "services/decoder/edge/generate_call.h"

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/base/check.h"
#include "common/base/errors.h"
#include "common/rpc/status.h"
#include "services/decoder/edge/grammar_constraint.h"
#include "services/decoder/edge/make_generation.h"

namespace terminus::services::decoder::edge {
namespace {

std::string Milliseconds(absl::Duration duration) {
  return absl::StrFormat("%.3f", absl::ToDoubleMilliseconds(duration));
}

}  // namespace

GenerateCall::GenerateCall(CallParts parts, grpc::CallbackServerContext* context, GenerateWish wish)
    : parts_(std::move(parts)),
      context_(context),
      request_context_(rpc::ContextOf(*context, parts_.default_deadline)),
      arrival_(absl::Now()),
      wish_(std::move(wish)),
      outbox_(wish_.choices) {}

GenerateCall* GenerateCall::Start(CallParts parts, grpc::CallbackServerContext* context,
                                  GenerateWish wish) {
  auto call =
      std::shared_ptr<GenerateCall>(new GenerateCall(std::move(parts), context, std::move(wish)));
  call->self_ = call;
  // The pool has room for every call that got a place.
  TERMINUS_CHECK(call->parts_.pool->TrySchedule([call] { call->Prepare(); }));
  return call.get();
}

void GenerateCall::Prepare() {
  const ServedModel& model = *parts_.bundle->model;
  absl::StatusOr<pipeline::Generation> generation = MakeGeneration(wish_, model);
  if (!generation.ok()) {
    Fail(generation.status());
    return;
  }
  for (int i = 0; i < wish_.choices; ++i) {
    choices_.emplace_back(model.codec->NewStream(),
                          ChoiceText::Ends{.strings = wish_.stops,
                                           .tokens = wish_.stop_tokens,
                                           .min_tokens = wish_.sampling.min_tokens});
  }
  prepared_ = *std::move(generation);
  prepared_.arrival = arrival_;
  prepared_.deadline = request_context_.deadline;
  prepared_.sink = shared_from_this();
  if (wish_.format.has_value()) {
    CompileFormat();
  } else {
    Submit();
  }
}

void GenerateCall::CompileFormat() {
  const auto& grammars = parts_.bundle->model->grammars;
  if (!grammars.ok()) {
    FailFormat(grammars.status());
    return;
  }
  const uint64_t compilation = (*grammars)->Compile(
      *wish_.format, request_context_.deadline,
      [self = shared_from_this()](const grammar::Compiled& compiled) mutable {
        base::ThreadPool& pool = *self->parts_.pool;
        // Moved on: the compiler's thread must not hold the call last, because the call may hold
        // the compiler last. The pool has room for one task of every call that got a place.
        TERMINUS_CHECK(
            pool.TrySchedule([self = std::move(self), compiled] { self->OnCompiled(compiled); }));
      });
  bool cancelled = false;
  {
    base::MutexLock lock(mutex_);
    compilation_ = compilation;
    cancelled = cancelled_;
  }
  if (cancelled) {
    (*grammars)->Cancel(compilation);
  }
}

void GenerateCall::OnCompiled(const grammar::Compiled& compiled) {
  if (!compiled.ok()) {
    FailFormat(compiled.status());
    return;
  }
  prepared_.constraint = ConstraintsOf(*compiled, wish_.format->kind);
  Submit();
}

void GenerateCall::Submit() {
  {
    base::MutexLock lock(mutex_);
    // Under the lock, so that a cancellation comes before or after, but not between.
    if (!cancelled_) {
      generation_ = parts_.bundle->model->engine->Submit(std::move(prepared_));
      return;
    }
  }
  Fail(base::MakeError(absl::StatusCode::kCancelled, base::kReasonCancelled,
                       "the caller cancelled"));
}

void GenerateCall::FailFormat(const absl::Status& status) {
  const absl::Status error = FormatError(status, wish_.format->kind);
  parts_.metrics->format_refusals.Count(error);
  Fail(error);
}

void GenerateCall::Fail(const absl::Status& status) {
  // Its sink is this call, which would hold itself.
  prepared_ = {};
  Outbox::Move move;
  {
    base::MutexLock lock(mutex_);
    outbox_.End(status, absl::nullopt);
    move = outbox_.Next();
  }
  Perform(move);
}

bool GenerateCall::Full(int choice) const {
  return unsent_[static_cast<size_t>(choice)].load(std::memory_order_relaxed) >= kMaxUnsentTokens;
}

void GenerateCall::OnToken(int choice, models::sampling::Sampled token) {
  unsent_[static_cast<size_t>(choice)].fetch_add(1, std::memory_order_relaxed);
  Post(TokenEvent{choice, std::move(token)});
}

void GenerateCall::OnEnd(int choice, pipeline::EndReason reason) { Post(EndEvent{choice, reason}); }

void GenerateCall::OnDone(const absl::Status& status, const pipeline::GenerationReport& report) {
  Post(DoneEvent{status, report});
}

void GenerateCall::Post(Event event) {
  base::MutexLock lock(mutex_);
  events_.push_back(std::move(event));
  if (!std::exchange(draining_, true)) {
    // The pool has room for one task of every call that got a place.
    TERMINUS_CHECK(parts_.pool->TrySchedule([self = shared_from_this()] { self->Drain(); }));
  }
}

void GenerateCall::Drain() {
  while (true) {
    std::vector<Event> events;
    {
      base::MutexLock lock(mutex_);
      if (events_.empty()) {
        draining_ = false;
        return;
      }
      events.swap(events_);
    }
    for (Event& event : events) {
      std::visit([this](auto& one) { Take(one); }, event);
    }
  }
}

void GenerateCall::Take(TokenEvent& event) {
  ChoiceText& text = choices_[static_cast<size_t>(event.choice)];
  if (text.ended() || !text_status_.ok()) {
    return;  // Computed before the engine heard that nothing more is needed.
  }
  v1::TextDelta delta;
  text_status_ = text.Push(event.token, wish_.sampling.top_logprobs >= 0, delta);
  if (!text_status_.ok()) {
    base::MutexLock lock(mutex_);
    parts_.bundle->model->engine->Cancel(*generation_);
    return;
  }
  if (text.ended()) {
    base::MutexLock lock(mutex_);
    parts_.bundle->model->engine->Stop(*generation_, event.choice);
  }
  Send(event.choice, std::move(delta));
}

void GenerateCall::Take(EndEvent& event) {
  ChoiceText& text = choices_[static_cast<size_t>(event.choice)];
  if (text.ended() || !text_status_.ok()) {
    return;
  }
  v1::TextDelta delta;
  text.End(event.reason, delta);
  Send(event.choice, std::move(delta));
}

void GenerateCall::Take(DoneEvent& event) {
  absl::Status status = text_status_.ok() ? event.status : text_status_;
  if (wish_.format.has_value()) {
    status = AnswerError(status, wish_.format->kind);
    parts_.metrics->format_refusals.Count(status);
  }
  absl::optional<v1::Usage> usage;
  if (status.ok()) {
    usage = UsageOf(event.report);
  }
  Outbox::Move move;
  {
    base::MutexLock lock(mutex_);
    report_ = event.report;
    outbox_.End(status, std::move(usage));
    move = outbox_.Next();
  }
  Perform(move);
}

v1::Usage GenerateCall::UsageOf(const pipeline::GenerationReport& report) const {
  v1::Usage usage;
  usage.set_prompt_tokens(static_cast<uint32_t>(report.prompt_tokens));
  usage.set_cached_prompt_tokens(static_cast<uint32_t>(report.cached_prompt_tokens));
  uint32_t generated = 0;
  for (const ChoiceText& choice : choices_) {
    generated += static_cast<uint32_t>(choice.tokens());
  }
  usage.set_generated_tokens(generated);
  return usage;
}

void GenerateCall::Send(int choice, v1::TextDelta delta) {
  delta.set_choice(static_cast<uint32_t>(choice));
  Outbox::Move move;
  {
    base::MutexLock lock(mutex_);
    outbox_.Add(delta);
    move = outbox_.Next();
  }
  Perform(move);
}

void GenerateCall::OnWriteDone(bool ok) {
  Outbox::Move move;
  bool caught_up = false;
  {
    base::MutexLock lock(mutex_);
    const Outbox::Tokens sent = outbox_.Written();
    const int before = unsent_[static_cast<size_t>(sent.choice)].fetch_sub(sent.count);
    caught_up = before >= kMaxUnsentTokens && before - sent.count < kMaxUnsentTokens;
    if (!ok) {
      Abandon();
    }
    move = outbox_.Next();
  }
  if (caught_up) {
    parts_.bundle->model->engine->Wake();
  }
  Perform(move);
}

void GenerateCall::OnCancel() {
  Outbox::Move move;
  {
    base::MutexLock lock(mutex_);
    Abandon();
    move = outbox_.Next();
  }
  Perform(move);
}

void GenerateCall::Abandon() {
  cancelled_ = true;
  outbox_.Abandon();
  if (generation_.has_value()) {
    parts_.bundle->model->engine->Cancel(*generation_);
  } else if (compilation_.has_value()) {
    (*parts_.bundle->model->grammars)->Cancel(*compilation_);
  }
}

void GenerateCall::Perform(Outbox::Move move) {
  const v1::GenerateResponse* message = nullptr;
  grpc::Status status;
  {
    base::MutexLock lock(mutex_);
    if (move == Outbox::Move::kWrite) {
      message = &outbox_.message();
    } else if (move == Outbox::Move::kFinish) {
      status = rpc::ToGrpc(outbox_.status());
      AddTrailers();
      parts_.metrics->generate.Count(outbox_.status().raw_code());
    }
  }
  if (message != nullptr) {
    StartWrite(message);
  } else if (move == Outbox::Move::kFinish) {
    parts_.leave();
    // gRPC may be done with the call, and the call gone, before this returns.
    Finish(status);
  }
}

void GenerateCall::AddTrailers() {
  context_->AddTrailingMetadata("x-request-id", request_context_.request_id);
  context_->AddTrailingMetadata("terminus-queue-ms", Milliseconds(report_.queue));
  context_->AddTrailingMetadata("terminus-prefill-ms", Milliseconds(report_.prefill));
  context_->AddTrailingMetadata("terminus-decode-ms", Milliseconds(report_.decode));
}

}  // namespace terminus::services::decoder::edge
