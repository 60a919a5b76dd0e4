#pragma once

#include <cstddef>
#include <cstdint>
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
  // Stages of the pipeline that executes the steps.
  int stages = 1;
};

// The policy's view of a sequence that has KV blocks and tokens to compute. It has enough blocks
// for all tokens that were known when it last ran.
struct RunningView {
  // Tokens of the prompt and those sampled so far, the ones that steps in flight sample included.
  // More than `launched`.
  int known = 1;
  // The known tokens that steps have computed or compute now.
  int launched = 0;
  // Blocks it holds, and those of them that nobody else holds: what it gives if it is preempted.
  int blocks = 0;
  int own_blocks = 0;
  // Its reader is behind: it is not to be computed, and is the first to lose its blocks.
  bool paused = false;
  // A step in flight uses its blocks: if it is preempted, they come free later.
  bool in_flight = false;
  // Tokens that steps in flight sample.
  int pending = 0;
  // The last step that computes some of its tokens; 0: none.
  uint64_t last_step = 0;
  // The lower, the sooner.
  int priority = 0;
};

// The policy's view of a sequence without blocks: new, or preempted.
struct WaitingView {
  int known = 1;
  // Tokens that cached blocks hold already, less than `known`, and how many of their blocks others
  // hold, so that taking them costs nothing.
  int cached = 0;
  int held_blocks = 0;
  int priority = 0;
};

// Slots or blocks that are free now, and those that become free when the steps in flight end.
struct Supply {
  int available = 0;
  int coming = 0;
};

struct Snapshot {
  // Both in order of arrival. Of those that wait, only the ones that may be admitted need be told.
  absl::Span<const RunningView> running;
  absl::Span<const WaitingView> waiting;
  Supply blocks;
  // Each sequence with blocks holds one slot.
  Supply slots;
};

// Compute the next `tokens` tokens of a sequence, which has blocks for all its known ones then.
struct Work {
  // Index in `running` or `waiting`.
  size_t index = 0;
  int tokens = 0;

  friend bool operator==(const Work& a, const Work& b) {
    return a.index == b.index && a.tokens == b.tokens;
  }
};

struct StepDecision {
  // Indices in `running` of those that give their blocks back, before anything else is done.
  std::vector<size_t> preempted;
  // Ascending by index.
  std::vector<Work> running;
  // Get a slot and blocks now, in this order.
  std::vector<Work> admitted;

  bool empty() const { return running.empty() && admitted.empty(); }
};

// Blocks for `tokens` tokens.
constexpr int BlocksFor(int tokens, int block_tokens) {
  return (tokens + block_tokens - 1) / block_tokens;
}

// The next step.
//
// Sequences run in order of priority, then of arrival, `max_sequences` at most; more wait, and
// nothing overtakes what waits in front of it. Every sequence past its prompt gets one token, then
// the budget left goes to prompts in chunks, first come first.
//
// In a pipeline a step is one of several micro-batches that are under way. So that they are about
// equal and no stage waits for a token, a step takes a share of the sequences past their prompts:
// ceil(their number / stages), those that have waited the longest. No sequence is in more than two
// steps that sample for it: so one that ends has run one step too long at most. Prompts are not
// capped.
//
// A sequence that needs a block when none is free preempts paused sequences, then later sequences,
// the last first. So the first sequence always makes progress, and each becomes the first in turn.
// Blocks that become free later count: if they suffice for a sequence, the sequence waits for them,
// and no more victims are taken.
//
// A waiting sequence is admitted when there are a free slot, blocks for all its tokens, and one
// reserve block for each running sequence, in a step that preempts nobody. If slots or blocks are
// missing, paused sequences are preempted, and the sequence is admitted in a later step.
//
// Nothing is stuck if the blocks suffice for each sequence alone; the engine's admission sees to
// that.
StepDecision PlanStep(const StepLimits& limits, const Snapshot& snapshot);

}  // namespace terminus::services::decoder::scheduler
