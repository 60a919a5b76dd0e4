#include "services/decoder/edge/generate_call.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/base/check.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"
#include "common/rpc/status.h"
#include "services/decoder/edge/grammar_constraint.h"

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
      wish_(std::move(wish)) {}

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
  absl::StatusOr<pipeline::Generation> generation = MakeGeneration();
  if (!generation.ok()) {
    Fail(generation.status());
    return;
  }
  prepared_ = *std::move(generation);
  if (wish_.format.has_value()) {
    CompileFormat();
  } else {
    Submit();
  }
}

void GenerateCall::CompileFormat() {
  const auto& grammars = parts_.bundle->model->grammars;
  if (!grammars.ok()) {
    Fail(FormatError(grammars.status(), wish_.format->kind));
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
    Fail(FormatError(compiled.status(), wish_.format->kind));
    return;
  }
  prepared_.constraint = ConstraintsOf(*compiled);
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

absl::StatusOr<pipeline::Generation> GenerateCall::MakeGeneration() {
  const ServedModel& model = *parts_.bundle->model;
  pipeline::Generation generation;
  TERMINUS_ASSIGN_OR_RETURN(
      generation.prompt, model.codec->EncodeChat(wish_.messages, wish_.special_tokens_in_messages));
  const int context = model.engine->max_context();
  const auto tokens = static_cast<int64_t>(generation.prompt.size());
  if (tokens == 0) {
    return base::FieldError(base::kReasonEmptyItem, "messages", "the prompt has no tokens");
  }
  if (tokens >= context) {
    return base::FieldError(base::kReasonTextTooLong, "messages",
                            absl::StrCat("the prompt has ", tokens, " tokens, the context ",
                                         context, ", of which at least one is for the answer"));
  }
  generation.sampling = wish_.sampling;
  generation.choices = wish_.choices;
  TERMINUS_ASSIGN_OR_RETURN(generation.max_tokens, MaxTokens(static_cast<int>(tokens), context));
  generation.ignore_eos = wish_.ignore_eos;
  generation.arrival = arrival_;
  generation.deadline = request_context_.deadline;
  generation.sink = shared_from_this();
  for (int i = 0; i < wish_.choices; ++i) {
    choices_.emplace_back(model.codec->NewStream(),
                          ChoiceText::Ends{.strings = wish_.stops,
                                           .tokens = wish_.stop_tokens,
                                           .min_tokens = wish_.sampling.min_tokens});
  }
  return generation;
}

absl::StatusOr<int> GenerateCall::MaxTokens(int prompt_tokens, int context) const {
  if (wish_.max_tokens > 0) {
    return wish_.max_tokens;
  }
  if (wish_.max_length == 0) {
    return context;
  }
  if (prompt_tokens >= wish_.max_length) {
    return base::FieldError(
        base::kReasonTextTooLong, "messages",
        absl::StrCat("the prompt has ", prompt_tokens, " tokens, the model's own limit of prompt ",
                     "and answer is ", wish_.max_length, ": set sampling.max_tokens"));
  }
  return wish_.max_length - prompt_tokens;
}

void GenerateCall::Fail(const absl::Status& status) {
  // Its sink is this call, which would hold itself.
  prepared_ = {};
  Moves moves;
  {
    base::MutexLock lock(mutex_);
    status_ = status;
    moves = Next();
  }
  Perform(moves);
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
  Send(event.choice, delta);
}

void GenerateCall::Take(EndEvent& event) {
  ChoiceText& text = choices_[static_cast<size_t>(event.choice)];
  if (text.ended() || !text_status_.ok()) {
    return;
  }
  v1::TextDelta delta;
  text.End(event.reason, delta);
  Send(event.choice, delta);
}

void GenerateCall::Take(DoneEvent& event) {
  Moves moves;
  {
    base::MutexLock lock(mutex_);
    report_ = event.report;
    status_ = text_status_.ok() ? event.status : text_status_;
    if (status_->ok()) {
      usage_.emplace();
      usage_->set_prompt_tokens(static_cast<uint32_t>(report_.prompt_tokens));
      usage_->set_cached_prompt_tokens(static_cast<uint32_t>(report_.cached_prompt_tokens));
      uint32_t generated = 0;
      for (const ChoiceText& choice : choices_) {
        generated += static_cast<uint32_t>(choice.tokens());
      }
      usage_->set_generated_tokens(generated);
    }
    moves = Next();
  }
  Perform(moves);
}

void GenerateCall::Send(int choice, const v1::TextDelta& delta) {
  Moves moves;
  {
    base::MutexLock lock(mutex_);
    if (cancelled_) {
      return;
    }
    absl::optional<v1::TextDelta>& pending = outbox_[static_cast<size_t>(choice)];
    if (!pending.has_value()) {
      pending.emplace();
      pending->set_choice(static_cast<uint32_t>(choice));
    }
    Merge(delta, *pending);
    moves = Next();
  }
  Perform(moves);
}

void GenerateCall::OnWriteDone(bool ok) {
  Moves moves;
  bool caught_up = false;
  {
    base::MutexLock lock(mutex_);
    writing_ = false;
    if (outgoing_.has_delta()) {
      const int before = unsent_[outgoing_.delta().choice()].fetch_sub(outgoing_tokens_);
      caught_up = before >= kMaxUnsentTokens && before - outgoing_tokens_ < kMaxUnsentTokens;
    }
    if (!ok) {
      Abandon();
    }
    moves = Next();
  }
  if (caught_up) {
    parts_.bundle->model->engine->Wake();
  }
  Perform(moves);
}

void GenerateCall::OnCancel() {
  Moves moves;
  {
    base::MutexLock lock(mutex_);
    Abandon();
    moves = Next();
  }
  Perform(moves);
}

void GenerateCall::Abandon() {
  cancelled_ = true;
  outbox_ = {};
  usage_.reset();
  if (generation_.has_value()) {
    parts_.bundle->model->engine->Cancel(*generation_);
  } else if (compilation_.has_value()) {
    (*parts_.bundle->model->grammars)->Cancel(*compilation_);
  }
}

GenerateCall::Moves GenerateCall::Next() {
  Moves moves;
  if (writing_ || finished_) {
    return moves;
  }
  for (int i = 0; i < wish_.choices && !moves.write; ++i) {
    const int choice = (next_choice_ + i) % wish_.choices;
    absl::optional<v1::TextDelta>& pending = outbox_[static_cast<size_t>(choice)];
    if (pending.has_value()) {
      outgoing_tokens_ = pending->token_ids_size();
      *outgoing_.mutable_delta() = *std::move(pending);
      pending.reset();
      next_choice_ = choice + 1;
      moves.write = true;
    }
  }
  if (!moves.write && usage_.has_value()) {
    *outgoing_.mutable_usage() = *std::move(usage_);
    usage_.reset();
    moves.write = true;
  }
  writing_ = moves.write;
  if (!moves.write && status_.has_value()) {
    finished_ = moves.finish = true;
  }
  return moves;
}

void GenerateCall::Perform(const Moves& moves) {
  if (moves.write) {
    StartWrite(&outgoing_);
    return;
  }
  if (!moves.finish) {
    return;
  }
  grpc::Status status;
  {
    base::MutexLock lock(mutex_);
    status = rpc::ToGrpc(*status_);
    AddTrailers();
    parts_.metrics->generate.Count(status_->raw_code());
  }
  parts_.leave();
  // gRPC may be done with the call, and the call gone, before this returns.
  Finish(status);
}

void GenerateCall::AddTrailers() {
  context_->AddTrailingMetadata("x-request-id", request_context_.request_id);
  context_->AddTrailingMetadata("terminus-queue-ms", Milliseconds(report_.queue));
  context_->AddTrailingMetadata("terminus-prefill-ms", Milliseconds(report_.prefill));
  context_->AddTrailingMetadata("terminus-decode-ms", Milliseconds(report_.decode));
}

}  // namespace terminus::services::decoder::edge
