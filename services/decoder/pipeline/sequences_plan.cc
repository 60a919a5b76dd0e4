// The methods of Sequences that plan a step.

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "models/decoder/step_runner.h"
#include "models/sampling/logits.h"
#include "services/decoder/pipeline/sequences.h"

namespace terminus::services::decoder::pipeline {

absl::optional<scheduler::StepPlan> Sequences::Plan(absl::Time now) {
  Candidates candidates;
  scheduler::StepDecision decision;
  do {
    candidates = FindCandidates();
    decision = scheduler::PlanStep(options_.limits, {.running = candidates.running_views,
                                                     .waiting = candidates.waiting_views,
                                                     .blocks = candidates.blocks,
                                                     .slots = candidates.slots});
    for (const size_t index : decision.preempted) {
      Preempt(candidates.running[index], now);
    }
    // Blocks came free, but for nobody yet: what waits for them is admitted in the next round.
  } while (decision.empty() && !decision.preempted.empty());
  if (decision.empty()) {
    ShowGauges();
    return absl::nullopt;
  }
  scheduler::StepPlan plan{.step = ++last_step_,
                           .closed = leases_.TakeClosedSlots(),
                           .dropped_soft_tokens = std::exchange(dropped_soft_tokens_, {})};
  plan.entries.reserve(decision.running.size() + decision.admitted.size());
  steps_.push_back({.id = plan.step});
  steps_.back().entries.reserve(plan.entries.capacity());
  // Admitted sequences take their cached blocks first: allocating new blocks could evict these.
  for (const scheduler::Work& work : decision.admitted) {
    Begin(candidates.waiting[work.index], plan, now);
  }
  for (const scheduler::Work& work : decision.running) {
    Enter(candidates.running[work.index], work.tokens, plan);
  }
  for (const scheduler::Work& work : decision.admitted) {
    Enter(candidates.waiting[work.index], work.tokens, plan);
  }
  ShowGauges();
  return plan;
}

Sequences::Candidates Sequences::FindCandidates() const {
  Candidates candidates{.blocks = leases_.blocks(), .slots = leases_.slots()};
  std::vector<std::pair<int, uint64_t>> waiting;
  for (const auto& [key, sequence] : sequences_) {
    const Generation& generation = sequence.request->generation;
    const bool runs = sequence.state == State::kRunning;
    if (!runs && sequence.state != State::kWaiting) {
      continue;
    }
    if (sequence.known() == MaxLength(*sequence.request)) {
      // Its last token is being sampled.
      candidates.blocks.coming += leases_.tables().OwnBlocks(key);
      ++candidates.slots.coming;
      continue;
    }
    const bool paused = generation.sink->Full(sequence.choice);
    if (runs) {
      candidates.running.push_back(key);
      candidates.running_views.push_back(
          {.known = sequence.known(),
           .launched = sequence.launched,
           .blocks = static_cast<int>(leases_.tables().Blocks(key).size()),
           .paused = paused,
           .in_flight = leases_.in_flight(key),
           .pending = sequence.pending,
           .last_step = sequence.last_step,
           .priority = generation.priority});
    } else if (!paused) {
      waiting.emplace_back(generation.priority, key);
    }
  }
  AddWaiting(std::move(waiting), candidates);
  AddOwnBlocks(candidates);
  return candidates;
}

// Counts the blocks that victims would give. That reads every block's holders, so it is left out
// where nothing can be short: each running sequence may need a block and one in reserve, each
// waiting one all of its own and a slot.
void Sequences::AddOwnBlocks(Candidates& candidates) const {
  size_t needed = 2 * candidates.running.size() + candidates.waiting.size();
  for (const scheduler::WaitingView& waiting : candidates.waiting_views) {
    needed += static_cast<size_t>(cache::BlocksFor(waiting.known));
  }
  if (needed <= static_cast<size_t>(candidates.blocks.available) &&
      candidates.waiting.size() <= static_cast<size_t>(candidates.slots.available)) {
    return;
  }
  for (size_t i = 0; i < candidates.running.size(); ++i) {
    candidates.running_views[i].own_blocks = leases_.tables().OwnBlocks(candidates.running[i]);
  }
}

// Looks up the prefixes of as many as a step could admit, and of one more, which blocks may come
// free for.
void Sequences::AddWaiting(std::vector<std::pair<int, uint64_t>> by_priority,
                           Candidates& candidates) const {
  std::sort(by_priority.begin(), by_priority.end());
  int tokens = 0;
  int missing = 0;
  for (const auto& [priority, key] : by_priority) {
    const Sequence& sequence = sequences_.at(key);
    const cache::BlockTables::Prefix prefix =
        leases_.tables().Lookup(sequence.tokens, sequence.request->generation.soft);
    candidates.waiting.push_back(key);
    candidates.waiting_views.push_back({.known = sequence.known(),
                                        .cached = prefix.tokens,
                                        .held_blocks = prefix.held_blocks,
                                        .priority = priority});
    tokens += sequence.known() - prefix.tokens;
    missing += cache::BlocksFor(sequence.known()) - prefix.held_blocks;
    if (tokens >= options_.limits.token_budget || missing > candidates.blocks.available ||
        static_cast<int>(candidates.waiting.size()) > candidates.slots.available) {
      return;
    }
  }
}

void Sequences::Preempt(uint64_t key, absl::Time now) {
  Sequence& sequence = sequences_.at(key);
  metrics_.preemptions.Increment();
  if (!leases_.Close(key, absl::nullopt, now)) {
    sequence.state = State::kPreempted;
    return;
  }
  sequence.state = State::kWaiting;
  sequence.launched = 0;
  sequence.computed = 0;
}

void Sequences::Begin(uint64_t key, scheduler::StepPlan& plan, absl::Time now) {
  Sequence& sequence = sequences_.at(key);
  Request& request = *sequence.request;
  const int cached = leases_.Open(key, sequence.tokens, request.generation.soft);
  sequence.state = State::kRunning;
  sequence.launched = cached;
  sequence.computed = cached;
  if (!request.started.has_value()) {
    request.started = now;
    request.report.cached_prompt_tokens = cached;
    metrics_.cached_prompt_tokens.Increment(cached);
    metrics::Observe(metrics_.queue_seconds, now - request.generation.arrival);
  }
  const absl::Span<const int32_t> blocks = leases_.tables().Blocks(key);
  scheduler::OpenedSlot& opened = plan.opened.emplace_back();
  opened.slot = leases_.slot(key);
  opened.constrained = sequence.constraint != nullptr;
  opened.sampling = request.generation.sampling;
  opened.sampling.choice = static_cast<uint32_t>(sequence.choice);
  opened.prompt_length = request.report.prompt_tokens;
  opened.max_length = MaxLength(request);
  opened.computed = cached;
  opened.blocks.assign(blocks.begin(), blocks.end());
  if (models::sampling::LooksBack(options_.rules, opened.sampling)) {
    opened.tokens = sequence.tokens;
  }
}

void Sequences::Enter(uint64_t key, int tokens, scheduler::StepPlan& plan) {
  Sequence& sequence = sequences_.at(key);
  const absl::Span<const int32_t> new_blocks = leases_.Grow(key, sequence.known());
  const int begin = sequence.launched;
  const int end = begin + tokens;
  TERMINUS_CHECK(tokens > 0 && end <= sequence.known());
  scheduler::PlanEntry& entry = plan.entries.emplace_back();
  entry.slot = leases_.slot(key);
  entry.sample = end == sequence.known();
  if (end <= static_cast<int>(sequence.tokens.size())) {
    entry.tokens.assign(sequence.tokens.begin() + begin, sequence.tokens.begin() + end);
  } else {
    TERMINUS_CHECK(tokens == 1);
    entry.tokens.assign(1, models::decoder::kFromSampler);
  }
  entry.new_blocks.assign(new_blocks.begin(), new_blocks.end());
  EnterSoftTokens(sequence, tokens, plan, entry);
  sequence.launched = end;
  sequence.last_step = last_step_;
  sequence.pending += entry.sample ? 1 : 0;
  leases_.BeginStep(key);
  const bool constrained = entry.sample && sequence.constraint != nullptr;
  steps_.back().entries.push_back({key, tokens, entry.sample, constrained});
  steps_.back().needs_masks |= constrained;
}

// The soft tokens among the next `tokens` tokens. Their rows are sent along the first time.
void Sequences::EnterSoftTokens(const Sequence& sequence, int tokens, scheduler::StepPlan& plan,
                                scheduler::PlanEntry& entry) {
  const int begin = sequence.launched;
  for (const models::decoder::SoftSpan& span : sequence.request->generation.soft) {
    const int first = std::max(begin, span.first_token);
    const int end = std::min(begin + tokens, span.first_token + span.rows);
    if (first >= end) {
      continue;
    }
    const uint64_t hash = span.tokens->content_hash;
    entry.soft.push_back({.first_token = first - begin,
                          .first_row = span.first_row + first - span.first_token,
                          .rows = end - first,
                          .content_hash = hash});
    if (!std::exchange(soft_tokens_.at(hash).sent, true)) {
      plan.soft_tokens.push_back(span.tokens);
    }
  }
}

}  // namespace terminus::services::decoder::pipeline
