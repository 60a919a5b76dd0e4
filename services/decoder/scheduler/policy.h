#pragma once

#include <cstddef>
#include <vector>

#include "absl/types/span.h"

// Which tokens of which sequences the next step computes, as a pure function over a snapshot.
namespace terminus::services::decoder::scheduler {

struct StepLimits {
  // Sequences in one step, at least 1.
  int max_sequences = 8;
  // Tokens in one step, prompts' and decoded ones together. At least max_sequences, so that a
  // decode never waits for the budget.
  int token_budget = 256;
  // Tokens of a KV block.
  int block_tokens = 16;
};

// What the policy sees of a sequence that has KV blocks. It always has enough for all tokens that
// were known when it last ran.
struct RunningView {
  // Tokens whose ids are known: the prompt's and those sampled so far. More than `computed`.
  int known = 1;
  // Of these, the ones whose keys and values are in its blocks.
  int computed = 0;
  // Blocks it holds, and those of them that nobody else holds.
  int blocks = 0;
  int own_blocks = 0;
  // Its reader is behind: it is not to be computed, and is the first to lose its blocks.
  bool paused = false;
};

// What the policy sees of a sequence without blocks: new, or preempted.
struct WaitingView {
  int known = 1;
  // Tokens that cached blocks hold already, less than `known`, and how many of their blocks others
  // hold, so that taking them costs nothing.
  int cached = 0;
  int held_blocks = 0;
};

struct Snapshot {
  // Both in order of arrival. Of those that wait, only the ones that may be admitted, and no more
  // than max_sequences of them need be told.
  absl::Span<const RunningView> running;
  absl::Span<const WaitingView> waiting;
  // Blocks that can be given out.
  int available_blocks = 0;
};

// Compute the next `tokens` tokens of a sequence, which has blocks for all its known ones then.
struct Work {
  // In `running` or `waiting`.
  size_t place = 0;
  int tokens = 0;

  friend bool operator==(const Work& a, const Work& b) {
    return a.place == b.place && a.tokens == b.tokens;
  }
};

struct StepDecision {
  // Places in `running` of those that give their blocks back, before anything else is done.
  std::vector<size_t> preempted;
  // Ascending by place.
  std::vector<Work> running;
  // Get blocks now; ascending by place.
  std::vector<Work> admitted;

  bool empty() const { return running.empty() && admitted.empty(); }
};

// Blocks for `tokens` tokens.
constexpr int BlocksFor(int tokens, int block_tokens) {
  return (tokens + block_tokens - 1) / block_tokens;
}

// The next step.
//
// Sequences run in order of arrival, `max_sequences` at most; more wait, and nothing overtakes what
// waits in front of it. Every sequence past its prompt gets one token, then the budget left goes to
// prompts, oldest first, in chunks. A sequence that needs a block when there is
// none takes it from paused ones, then from younger ones, youngest first: so the oldest always gets
// on, and each becomes the oldest in its turn. What waits is admitted when blocks for all its
// tokens are there and one in reserve for each that runs, in a step that preempts nobody. For want
// of blocks paused sequences are preempted for it: then it is admitted in the step after.
//
// Nothing is stuck if the blocks suffice for each sequence alone; whoever takes sequences in sees
// to that.
StepDecision PlanStep(const StepLimits& limits, const Snapshot& snapshot);

}  // namespace terminus::services::decoder::scheduler
