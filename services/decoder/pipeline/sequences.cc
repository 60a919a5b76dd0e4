#include "services/decoder/pipeline/sequences.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/errors.h"

namespace terminus::services::decoder::pipeline {

Sequences::Sequences(Options options, EngineMetrics& metrics)
    : options_(std::move(options)),
      metrics_(metrics),
      leases_(options_.kv_blocks, options_.slots, metrics) {
  // Else a sequence could wait for ever, or a decode for the budget.
  TERMINUS_CHECK(cache::BlocksFor(options_.max_context) <= options_.kv_blocks);
  TERMINUS_CHECK(options_.limits.token_budget >= options_.limits.max_sequences);
  TERMINUS_CHECK(options_.slots >= options_.limits.max_sequences);
  TERMINUS_CHECK(options_.limits.block_tokens == cache::kBlockTokens);
  ShowGauges();
}

void Sequences::Add(uint64_t id, Generation generation) {
  const int prompt_tokens = static_cast<int>(generation.prompt.size());
  TERMINUS_CHECK(prompt_tokens > 0 && prompt_tokens < options_.max_context);
  TERMINUS_CHECK(generation.choices > 0 && generation.choices <= kMaxChoices);
  TERMINUS_CHECK(generation.max_tokens > 0);
  TERMINUS_CHECK(requests_.empty() || requests_.rbegin()->first < id);
  Request& request = requests_[id];
  request.report.prompt_tokens = prompt_tokens;
  request.live_choices = generation.choices;
  request.generation = std::move(generation);
  for (int choice = 0; choice < request.live_choices; ++choice) {
    Sequence& sequence = sequences_[Key(id, choice)];
    sequence.id = id;
    sequence.request = &request;
    sequence.choice = choice;
    sequence.tokens = request.generation.prompt;
    sequence.state = choice > 0 ? State::kHeld : State::kWaiting;
    if (request.generation.constraint) {
      sequence.constraint = request.generation.constraint();
      sequence.seen = sequence.tokens.size();
    }
  }
  AddSoftTokens(request.generation);
  metrics_.prompt_tokens.Increment(prompt_tokens);
  ShowGauges();
}

void Sequences::AddSoftTokens(const Generation& generation) {
  for (const models::decoder::SoftSpan& span : generation.soft) {
    const uint64_t hash = span.tokens->content_hash;
    SoftUse& use = soft_tokens_[hash];
    ++use.generations;
    use.tokens = span.tokens;
    // They are sent again, which replaces what the stage may still have.
    dropped_soft_tokens_.erase(
        std::remove(dropped_soft_tokens_.begin(), dropped_soft_tokens_.end(), hash),
        dropped_soft_tokens_.end());
  }
}

void Sequences::DropSoftTokens(const Generation& generation) {
  for (const models::decoder::SoftSpan& span : generation.soft) {
    const auto found = soft_tokens_.find(span.tokens->content_hash);
    if (--found->second.generations > 0) {
      continue;
    }
    if (found->second.sent) {
      dropped_soft_tokens_.push_back(found->first);
    }
    soft_tokens_.erase(found);
  }
}

void Sequences::Stop(uint64_t id, int choice, absl::Time now) {
  if (sequences_.count(Key(id, choice)) > 0) {
    EndChoice(Key(id, choice), EndReason::kStop, now);
    ShowGauges();
  }
}

void Sequences::End(uint64_t id, const absl::Status& status, absl::Time now) {
  EndRequest(id, status, absl::nullopt, now);
}

void Sequences::Cancel(uint64_t id, absl::Time asked, absl::Time now) {
  EndRequest(
      id,
      base::MakeError(absl::StatusCode::kCancelled, base::kReasonCancelled, "the caller cancelled"),
      asked, now);
}

void Sequences::EndRequest(uint64_t id, const absl::Status& status,
                           absl::optional<absl::Time> cancelled, absl::Time now) {
  const auto found = requests_.find(id);
  if (found == requests_.end()) {
    return;
  }
  for (int choice = 0; choice < found->second.generation.choices; ++choice) {
    Remove(Key(id, choice), cancelled, now);
  }
  Finish(id, status, now);
  ShowGauges();
}

void Sequences::EndAll(const absl::Status& status, absl::Time now) {
  while (!requests_.empty()) {
    End(requests_.begin()->first, status, now);
  }
}

void Sequences::Expire(absl::Time now) {
  std::vector<uint64_t> late;
  for (const auto& [id, request] : requests_) {
    if (request.generation.deadline <= now) {
      late.push_back(id);
    }
  }
  for (const uint64_t id : late) {
    End(id,
        base::MakeError(absl::StatusCode::kDeadlineExceeded, base::kReasonDeadline,
                        "the deadline passed before the answer was complete"),
        now);
  }
}

absl::Time Sequences::next_deadline() const {
  absl::Time deadline = absl::InfiniteFuture();
  for (const auto& [id, request] : requests_) {
    deadline = std::min(deadline, request.generation.deadline);
  }
  return deadline;
}

void Sequences::Apply(const StepResult& result, absl::Time now) {
  TERMINUS_CHECK(!steps_.empty() && steps_.front().id == result.step);
  const Step step = std::move(steps_.front());
  steps_.pop_front();
  if (!result.tokens.ok()) {
    // The soft tokens of its plan may be lost.
    for (auto& [hash, use] : soft_tokens_) {
      use.sent = false;
    }
  }
  size_t row = 0;
  for (const InStep& entry : step.entries) {
    const absl::StatusOr<models::sampling::Sampled>* sampled = nullptr;
    if (entry.sample && result.tokens.ok()) {
      TERMINUS_CHECK(row < result.tokens->size());
      sampled = &(*result.tokens)[row++];
    }
    ApplyEntry(entry, result.tokens.status(), sampled, now);
    if (!leases_.EndStep(entry.key, now)) {
      continue;
    }
    const auto found = sequences_.find(entry.key);
    if (found != sequences_.end()) {
      TERMINUS_CHECK(found->second.state == State::kPreempted);
      found->second.state = State::kWaiting;
      found->second.launched = 0;
      found->second.computed = 0;
    }
  }
  ShowGauges();
}

void Sequences::Lose(absl::Time now) {
  steps_.clear();
  leases_.Reset(now);
  dropped_soft_tokens_.clear();
  for (auto& [hash, use] : soft_tokens_) {
    use.sent = false;
  }
  for (auto& [key, sequence] : sequences_) {
    if (sequence.state == State::kRunning || sequence.state == State::kPreempted) {
      sequence.state = State::kWaiting;
      sequence.pending = 0;
      sequence.launched = 0;
      sequence.computed = 0;
      sequence.last_step = 0;
    }
  }
  ShowGauges();
}

void Sequences::ApplyEntry(const InStep& entry, const absl::Status& status,
                           const absl::StatusOr<models::sampling::Sampled>* sampled,
                           absl::Time now) {
  const auto found = sequences_.find(entry.key);
  if (found == sequences_.end()) {
    return;
  }
  Sequence& sequence = found->second;
  if (!status.ok()) {
    End(sequence.id, status, now);
    return;
  }
  sequence.computed += entry.tokens;
  leases_.tables().Commit(
      entry.key, absl::MakeConstSpan(sequence.tokens).first(static_cast<size_t>(sequence.computed)),
      sequence.request->generation.soft);
  if (entry.sample) {
    --sequence.pending;
    TakeToken(entry.key, *sampled, now);
  }
}

void Sequences::TakeToken(uint64_t key, const absl::StatusOr<models::sampling::Sampled>& sampled,
                          absl::Time now) {
  Sequence& sequence = sequences_.at(key);
  if (!sampled.ok()) {
    End(sequence.id, sampled.status(), now);
    return;
  }
  const int32_t token = sampled->chosen.token;
  Request& request = *sequence.request;
  sequence.tokens.push_back(token);
  metrics_.generated_tokens.Increment();
  if (!request.first_token.has_value()) {
    request.first_token = now;
    metrics::Observe(metrics_.time_to_first_token_seconds, now - request.generation.arrival);
  }
  if (sequence.last_token.has_value()) {
    metrics::Observe(metrics_.inter_token_seconds, now - *sequence.last_token);
  }
  sequence.last_token = now;
  if (request.generation.choices > 1) {
    ReleaseSiblings(sequence.id);
  }
  request.generation.sink->OnToken(sequence.choice, *sampled);
  if (IsEndOfSequence(request, token)) {
    EndChoice(key, EndReason::kStop, now);
  } else if (static_cast<int>(sequence.tokens.size()) == MaxLength(request)) {
    EndChoice(key, EndReason::kLength, now);
  }
}

absl::optional<Sequences::MaskWork> Sequences::TakeMaskWork() {
  if (steps_.empty() || !std::exchange(steps_.front().needs_masks, false)) {
    return absl::nullopt;
  }
  MaskWork work{.step = steps_.front().id};
  for (const InStep& entry : steps_.front().entries) {
    if (!entry.constrained) {
      continue;
    }
    MaskRow& row = work.rows.emplace_back();
    const auto found = sequences_.find(entry.key);
    if (found == sequences_.end()) {
      continue;
    }
    Sequence& sequence = found->second;
    row.id = sequence.id;
    row.constraint = sequence.constraint;
    row.tokens.assign(sequence.tokens.begin() + static_cast<std::ptrdiff_t>(sequence.seen),
                      sequence.tokens.end());
    sequence.seen = sequence.tokens.size();
  }
  return work;
}

void Sequences::EndChoice(uint64_t key, EndReason reason, absl::Time now) {
  const uint64_t id = sequences_.at(key).id;
  const int choice = sequences_.at(key).choice;
  Remove(key, absl::nullopt, now);
  ReleaseSiblings(id);
  Request& request = requests_.at(id);
  request.generation.sink->OnEnd(choice, reason);
  if (--request.live_choices == 0) {
    Finish(id, absl::OkStatus(), now);
  }
}

void Sequences::Remove(uint64_t key, absl::optional<absl::Time> cancelled, absl::Time now) {
  sequences_.erase(key);
  leases_.Close(key, cancelled, now);
}

void Sequences::ReleaseSiblings(uint64_t id) {
  const int choices = requests_.at(id).generation.choices;
  for (int choice = 1; choice < choices; ++choice) {
    const auto found = sequences_.find(Key(id, choice));
    if (found != sequences_.end() && found->second.state == State::kHeld) {
      found->second.state = State::kWaiting;
    }
  }
}

void Sequences::Finish(uint64_t id, const absl::Status& status, absl::Time now) {
  const auto found = requests_.find(id);
  Request& request = found->second;
  const absl::Time started = request.started.value_or(now);
  const absl::Time first_token = request.first_token.value_or(now);
  request.report.queue = started - request.generation.arrival;
  request.report.prefill = first_token - started;
  request.report.decode = now - first_token;
  DropSoftTokens(request.generation);
  const std::shared_ptr<TokenSink> sink = std::move(request.generation.sink);
  const GenerationReport report = request.report;
  requests_.erase(found);
  sink->OnDone(status, report);
}

int Sequences::MaxLength(const Request& request) const {
  const int room = options_.max_context - request.report.prompt_tokens;
  return request.report.prompt_tokens + std::min(request.generation.max_tokens, room);
}

bool Sequences::IsEndOfSequence(const Request& request, int32_t token) const {
  return !request.generation.ignore_eos &&
         std::find(options_.eos_token_ids.begin(), options_.eos_token_ids.end(), token) !=
             options_.eos_token_ids.end();
}

void Sequences::ShowGauges() {
  const auto running = std::count_if(sequences_.begin(), sequences_.end(), [](const auto& entry) {
    return entry.second.state == State::kRunning || entry.second.state == State::kPreempted;
  });
  metrics_.running_sequences.Set(static_cast<double>(running));
  metrics_.waiting_sequences.Set(static_cast<double>(sequences_.size()) -
                                 static_cast<double>(running));
  metrics_.steps_in_flight.Set(static_cast<double>(steps_.size()));
  const cache::BlockPool& pool = leases_.tables().pool();
  metrics_.used_blocks.Set(pool.used());
  metrics_.free_blocks.Set(pool.free());
  metrics_.cached_blocks.Set(pool.cached());
}

}  // namespace terminus::services::decoder::pipeline
