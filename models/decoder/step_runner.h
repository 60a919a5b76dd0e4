#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "models/decoder/kv_view.h"
#include "models/decoder/soft_tokens.h"
#include "models/sampling/parameters.h"

namespace terminus::models::decoder {

// A token id that stands for the one last sampled in the sequence's slot. It may not be known on
// the host yet.
inline constexpr int32_t kFromSampler = -1;

// One forward pass over the new tokens of several sequences; chunks of prompts and single decoded
// tokens may be mixed. Nothing is owned: all spans need live until Forward returns.
struct ForwardInput {
  // [tokens], sequence after sequence. kFromSampler only for a sequence's single new token.
  absl::Span<const int32_t> token_ids;
  // [tokens]: position of each token in its sequence, from 0. A sequence's new tokens are its last:
  // their positions are consecutive and end at its length in `kv`.
  absl::Span<const int32_t> positions;
  // [sequences + 1]: first token of each sequence, then the number of tokens. None is empty.
  absl::Span<const int32_t> query_indptr;
  // [sequences], each below RunnerInfo::slots, each at most once.
  absl::Span<const int32_t> slots;
  // One table for each sequence, with room for the new tokens: their keys and values are written.
  KvView kv;
  // Sequences whose last token's logits are wanted, ascending. Row i of the logits is that of
  // sequence logits_sequences[i].
  absl::Span<const int32_t> logits_sequences;
  // Ascending, without overlap.
  absl::Span<const SoftSpan> soft;
};

// A row of the last Forward to sample from.
struct SampleRow {
  // Index into ForwardInput::logits_sequences.
  int32_t row = 0;
  // The slot's sequence has `length` tokens with those of the step: the draw is for that position.
  int32_t length = 0;
  // A bit for each token, lowest first, of those that a grammar allows; null: all. Read until
  // Sample returns. [(vocab_size + 31) / 32]
  const uint32_t* mask = nullptr;
};

// The state of the sequence that a slot is opened for.
struct SlotState {
  sampling::Parameters sampling;
  // Tokens of the prompt, and of prompt and answer at most.
  int32_t prompt_length = 0;
  int32_t max_length = 0;
  // Tokens so far, prompt first: what penalties look at. May be empty where sampling::LooksBack is
  // false.
  absl::Span<const int32_t> tokens;
};

// The results of one step: one for each row that was sampled, in the order of the rows of all its
// Sample calls.
struct StepOutput {
  struct Row {
    int32_t row = 0;
    // INTERNAL: logits are not finite. FAILED_PRECONDITION: rules and parameters leave no token.
    // The slot's token is valid in either case, so that later steps can run.
    absl::StatusOr<sampling::Sampled> sampled;
  };
  std::vector<Row> rows;
  // The device had ended the step before when this one was given to it.
  bool late = false;
};

struct RunnerInfo {
  std::string device;  // "cpu" or "cuda:N".
  int vocab_size = 0;
  int hidden_size = 0;
  // Tokens of the longest sequence, prompt and answer together; positions are below this.
  int max_context = 0;
  int kv_blocks = 0;
  int64_t kv_block_bytes = 0;
  // Sequences that it keeps the sampling state of, and the most in one step.
  int slots = 0;
  // Tokens in one step at most.
  int max_tokens = 0;
  // Steps that may be between Forward and Collect: 2 where the device runs by itself, else 1. Of a
  // pipeline, steps that may be anywhere in it.
  int steps_in_flight = 1;
  // Stages of the pipeline that executes the steps.
  int stages = 1;
  // False for a stage that is not the last: it makes no logits, so Sample is not called.
  bool samples = true;
};

// Executes steps of a language model on one device: a forward pass, then sampling.
// Work is given to the device in order and runs by itself; Collect waits for its results. Holds the
// memory for keys and values, the last sampled token of each slot, and the slots' sampling state.
// Used by one thread at a time, which owns the device.
//
// A step is Forward, then Sample any number of times, then EndStep; later Collect, once for each
// step, oldest first. Sample concerns the last Forward: with two steps in flight it comes before
// the Forward of the next.
//
// All but info() may throw what LibTorch throws: call them inside executor::RunGuarded. An error of
// Forward or Sample other than INVALID_ARGUMENT, and any exception, leaves the runner unusable.
class StepRunner {
 public:
  virtual ~StepRunner() = default;

  virtual const RunnerInfo& info() const = 0;

  // Binds a sequence to a slot and drops the slot's earlier sequence. Takes effect after the work
  // submitted so far.
  virtual absl::Status OpenSlot(int32_t slot, const SlotState& state) = 0;

  // A sequence's logits do not depend on what else is in the step, nor on which blocks it has, but
  // for rounding. INVALID_ARGUMENT says which token, sequence or block of the step is outside of
  // what the model has; nothing is written then.
  virtual absl::Status Forward(const ForwardInput& input) = 0;

  // Each row of a step is sampled at most once. Its slot's last token is the new one from then on,
  // and counts for penalties.
  virtual absl::Status Sample(absl::Span<const SampleRow> rows) = 0;

  virtual absl::Status EndStep() = 0;

  // Blocks until the oldest step that was not collected is done. Requires: EndStep was called for
  // it. An error means that the device failed.
  virtual absl::StatusOr<StepOutput> Collect() = 0;
};

}  // namespace terminus::models::decoder
