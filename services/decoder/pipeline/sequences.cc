#include "services/decoder/pipeline/sequences.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/base/errors.h"

namespace terminus::services::decoder::pipeline {

Sequences::Sequences(Options options, EngineMetrics& metrics)
    : options_(std::move(options)), metrics_(metrics), tables_(options_.kv_blocks) {
  // Else a sequence could wait for ever, or a decode for the budget.
  TERMINUS_CHECK(cache::BlocksFor(options_.max_context) <= options_.kv_blocks);
  TERMINUS_CHECK(options_.limits.token_budget >= options_.limits.max_sequences);
  TERMINUS_CHECK(options_.limits.block_tokens == cache::kBlockTokens);
  ShowGauges();
}

void Sequences::Add(uint64_t id, Generation generation) {
  const int prompt_tokens = static_cast<int>(generation.prompt.size());
  TERMINUS_CHECK(prompt_tokens > 0 && prompt_tokens < options_.max_context);
  TERMINUS_CHECK(generation.choices > 0 && generation.choices <= kMaxChoices);
  TERMINUS_CHECK(generation.max_tokens > 0);
  TERMINUS_CHECK(requests_.empty() || requests_.rbegin()->first < id);
  for (int choice = 0; choice < generation.choices; ++choice) {
    Sequence& sequence = sequences_[Key(id, choice)];
    sequence.request = id;
    sequence.choice = choice;
    sequence.tokens = generation.prompt;
    sequence.held = choice > 0;
  }
  metrics_.prompt_tokens.Increment(prompt_tokens);
  Request& request = requests_[id];
  request.report.prompt_tokens = prompt_tokens;
  request.live_choices = generation.choices;
  request.generation = std::move(generation);
  ShowGauges();
}

void Sequences::Stop(uint64_t id, int choice, absl::Time now) {
  if (sequences_.count(Key(id, choice)) > 0) {
    EndChoice(Key(id, choice), EndReason::kStop, now);
    ShowGauges();
  }
}

void Sequences::End(uint64_t id, const absl::Status& status, absl::Time now) {
  const auto found = requests_.find(id);
  if (found == requests_.end()) {
    return;
  }
  for (int choice = 0; choice < found->second.generation.choices; ++choice) {
    Remove(Key(id, choice));
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
  absl::Time next = absl::InfiniteFuture();
  for (const auto& [id, request] : requests_) {
    next = std::min(next, request.generation.deadline);
  }
  return next;
}

absl::optional<scheduler::StepPlan> Sequences::Plan(absl::Time now) {
  TERMINUS_CHECK(!step_under_way_);
  std::vector<uint64_t> running;
  std::vector<uint64_t> waiting;
  scheduler::StepDecision decision;
  do {
    decision = Decide(running, waiting);
    for (const size_t place : decision.preempted) {
      Preempt(running[place]);
    }
    // Blocks came free, but for nobody yet: what waits for them is admitted in the next round.
  } while (decision.empty() && !decision.preempted.empty());
  if (decision.empty()) {
    ShowGauges();
    return absl::nullopt;
  }
  // What is cached is taken hold of before new blocks are, which could be those.
  for (const scheduler::Work& work : decision.admitted) {
    const uint64_t key = waiting[work.place];
    Sequence& sequence = sequences_.at(key);
    Begin(sequence, tables_.Open(key, sequence.tokens), now);
  }
  scheduler::StepPlan plan{.step = ++step_};
  in_step_.clear();
  for (const scheduler::Work& work : decision.running) {
    Enter(running[work.place], work.tokens, plan);
  }
  for (const scheduler::Work& work : decision.admitted) {
    Enter(waiting[work.place], work.tokens, plan);
  }
  step_under_way_ = true;
  ShowGauges();
  return plan;
}

scheduler::StepDecision Sequences::Decide(std::vector<uint64_t>& running,
                                          std::vector<uint64_t>& waiting) {
  running.clear();
  waiting.clear();
  std::vector<scheduler::RunningView> running_views;
  std::vector<scheduler::WaitingView> waiting_views;
  for (const auto& [key, sequence] : sequences_) {
    const bool paused = requests_.at(sequence.request).generation.sink->Full(sequence.choice);
    if (sequence.running) {
      running.push_back(key);
      running_views.push_back({.known = sequence.known(),
                               .computed = sequence.computed,
                               .blocks = static_cast<int>(tables_.Blocks(key).size()),
                               .own_blocks = tables_.OwnBlocks(key),
                               .paused = paused});
    } else if (!sequence.held && !paused &&
               waiting.size() < static_cast<size_t>(options_.limits.max_sequences)) {
      const cache::BlockTables::Prefix prefix = tables_.Lookup(sequence.tokens);
      waiting.push_back(key);
      waiting_views.push_back(
          {.known = sequence.known(), .cached = prefix.tokens, .held_blocks = prefix.held_blocks});
    }
  }
  return scheduler::PlanStep(options_.limits, {.running = running_views,
                                               .waiting = waiting_views,
                                               .available_blocks = tables_.pool().available()});
}

void Sequences::Preempt(uint64_t key) {
  Sequence& sequence = sequences_.at(key);
  tables_.Close(key);
  sequence.running = false;
  sequence.computed = 0;
  metrics_.preemptions.Increment();
}

void Sequences::Begin(Sequence& sequence, int cached, absl::Time now) {
  sequence.running = true;
  sequence.computed = cached;
  Request& request = requests_.at(sequence.request);
  if (!request.started.has_value()) {
    request.started = now;
    request.report.cached_prompt_tokens = cached;
    metrics_.cached_prompt_tokens.Increment(cached);
    metrics::Observe(metrics_.queue_seconds, now - request.generation.arrival);
  }
}

void Sequences::Enter(uint64_t key, int tokens, scheduler::StepPlan& plan) {
  const Sequence& sequence = sequences_.at(key);
  TERMINUS_CHECK(tables_.Grow(key, sequence.known()));
  const int end = sequence.computed + tokens;
  TERMINUS_CHECK(tokens > 0 && end <= sequence.known());
  scheduler::PlanEntry entry{.sequence = key, .first_position = sequence.computed};
  entry.tokens.assign(sequence.tokens.begin() + sequence.computed, sequence.tokens.begin() + end);
  const absl::Span<const int32_t> blocks =
      tables_.Blocks(key).first(static_cast<size_t>(cache::BlocksFor(end)));
  entry.blocks.assign(blocks.begin(), blocks.end());
  entry.sample = end == sequence.known();
  if (entry.sample) {
    const Request& request = requests_.at(sequence.request);
    entry.sampling = request.generation.sampling;
    entry.sampling.choice = static_cast<uint32_t>(sequence.choice);
    entry.prompt_tokens = request.report.prompt_tokens;
    entry.max_length = MaxLength(request);
    if (models::sampling::LooksBack(options_.rules, entry.sampling)) {
      entry.earlier.assign(sequence.tokens.begin(), sequence.tokens.begin() + sequence.computed);
    }
  }
  in_step_.push_back({key, tokens, entry.sample});
  plan.entries.push_back(std::move(entry));
}

void Sequences::Apply(const absl::StatusOr<StepTokens>& tokens, absl::Time now) {
  TERMINUS_CHECK(step_under_way_);
  step_under_way_ = false;
  for (const uint64_t key : std::exchange(closing_, {})) {
    tables_.Close(key);
  }
  size_t row = 0;
  for (const InStep& entry : std::exchange(in_step_, {})) {
    const size_t own_row = entry.sample ? row++ : row;
    const auto found = sequences_.find(entry.key);
    if (found == sequences_.end()) {
      continue;
    }
    if (!tokens.ok()) {
      End(found->second.request, tokens.status(), now);
      continue;
    }
    Sequence& sequence = found->second;
    sequence.computed += entry.tokens;
    tables_.Commit(
        entry.key,
        absl::MakeConstSpan(sequence.tokens).first(static_cast<size_t>(sequence.computed)));
    if (entry.sample) {
      TERMINUS_CHECK(own_row < tokens->size());
      TakeToken(entry.key, (*tokens)[own_row], now);
    }
  }
  ShowGauges();
}

void Sequences::TakeToken(uint64_t key, const absl::StatusOr<models::sampling::Sampled>& sampled,
                          absl::Time now) {
  Sequence& sequence = sequences_.at(key);
  const uint64_t id = sequence.request;
  if (!sampled.ok()) {
    End(id, sampled.status(), now);
    return;
  }
  Request& request = requests_.at(id);
  const int32_t token = sampled->chosen.token;
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
  ReleaseSiblings(id);
  request.generation.sink->OnToken(sequence.choice, *sampled);
  if (IsEndOfSequence(token)) {
    EndChoice(key, EndReason::kStop, now);
  } else if (sequence.known() == MaxLength(request)) {
    EndChoice(key, EndReason::kLength, now);
  }
}

void Sequences::EndChoice(uint64_t key, EndReason reason, absl::Time now) {
  const uint64_t id = sequences_.at(key).request;
  const int choice = sequences_.at(key).choice;
  Remove(key);
  ReleaseSiblings(id);
  Request& request = requests_.at(id);
  request.generation.sink->OnEnd(choice, reason);
  if (--request.live_choices == 0) {
    Finish(id, absl::OkStatus(), now);
  }
}

void Sequences::Remove(uint64_t key) {
  sequences_.erase(key);
  if (step_under_way_) {
    closing_.push_back(key);
  } else {
    tables_.Close(key);
  }
}

void Sequences::ReleaseSiblings(uint64_t id) {
  const int choices = requests_.at(id).generation.choices;
  for (int choice = 1; choice < choices; ++choice) {
    const auto found = sequences_.find(Key(id, choice));
    if (found != sequences_.end()) {
      found->second.held = false;
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
  const std::shared_ptr<TokenSink> sink = std::move(request.generation.sink);
  const GenerationReport report = request.report;
  requests_.erase(found);
  sink->OnDone(status, report);
}

int Sequences::MaxLength(const Request& request) const {
  const int room = options_.max_context - request.report.prompt_tokens;
  return request.report.prompt_tokens + std::min(request.generation.max_tokens, room);
}

bool Sequences::IsEndOfSequence(int32_t token) const {
  return std::find(options_.eos_token_ids.begin(), options_.eos_token_ids.end(), token) !=
         options_.eos_token_ids.end();
}

void Sequences::ShowGauges() {
  const auto running = std::count_if(sequences_.begin(), sequences_.end(),
                                     [](const auto& entry) { return entry.second.running; });
  metrics_.running_sequences.Set(static_cast<double>(running));
  metrics_.waiting_sequences.Set(static_cast<double>(sequences_.size()) -
                                 static_cast<double>(running));
  const cache::BlockPool& pool = tables_.pool();
  metrics_.used_blocks.Set(pool.used());
  metrics_.free_blocks.Set(pool.free());
  metrics_.cached_blocks.Set(pool.cached());
}

}  // namespace terminus::services::decoder::pipeline
