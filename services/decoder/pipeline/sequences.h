#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "services/decoder/cache/block_tables.h"
#include "services/decoder/pipeline/engine_metrics.h"
#include "services/decoder/pipeline/generation.h"
#include "services/decoder/pipeline/stage.h"
#include "services/decoder/scheduler/plan.h"
#include "services/decoder/scheduler/policy.h"

namespace terminus::services::decoder::pipeline {

// All generations under way and their KV blocks: makes the plan of each step and takes in what came
// of it. No threads and no clock in here.
//
// A choice is a sequence. All but the first wait until the first has computed the prompt, and then
// share its full blocks. A sequence is in one of three states:
//   waiting   has no blocks: new, or preempted
//   running   has blocks; computed in steps, unless its reader is behind
//   ended     removed; its blocks are given back, after the step that is under way if there is one
//
// Used by one thread at a time.
class Sequences {
 public:
  struct Options {
    scheduler::StepLimits limits;
    // Tokens of the longest sequence; its blocks must be there.
    int max_context = 0;
    int kv_blocks = 0;
    std::vector<int32_t> eos_token_ids;
  };

  Sequences(Options options, EngineMetrics& metrics);

  // `id` is above all ids before.
  void Add(uint64_t id, Generation generation);

  // Ends one choice, as if its last token had been an end-of-sequence token. Does nothing when it
  // has ended already.
  void Stop(uint64_t id, int choice, absl::Time now);

  // Ends what is left of a generation; OnDone tells why. Does nothing when it has ended already.
  void End(uint64_t id, const absl::Status& status, absl::Time now);
  void EndAll(const absl::Status& status, absl::Time now);
  // Ends those whose deadline has passed.
  void Expire(absl::Time now);
  absl::Time next_deadline() const;

  // Begins the next step; nothing when there is nothing to compute. Not before the last was
  // applied.
  absl::optional<scheduler::StepPlan> Plan(absl::Time now);

  // Ends the step. When it failed, all generations in it fail.
  void Apply(const absl::StatusOr<StepTokens>& tokens, absl::Time now);

  bool empty() const { return requests_.empty(); }

 private:
  struct Request {
    Generation generation;
    GenerationReport report;
    int live_choices = 0;
    absl::optional<absl::Time> started;
    absl::optional<absl::Time> first_token;
  };

  struct Sequence {
    uint64_t request = 0;
    int choice = 0;
    // The prompt's and those sampled.
    std::vector<int32_t> tokens;
    // Of these, the ones whose keys and values are in its blocks.
    int computed = 0;
    bool running = false;
    // Waits for the first choice to compute the prompt.
    bool held = false;
    absl::optional<absl::Time> last_token;

    int known() const { return static_cast<int>(tokens.size()); }
  };

  // One sequence of the step that is under way.
  struct InStep {
    uint64_t key = 0;
    int tokens = 0;
    bool sample = false;
  };

  // By request, then choice: the order of arrival.
  static uint64_t Key(uint64_t id, int choice) {
    return id * kMaxChoices + static_cast<uint64_t>(choice);
  }

  scheduler::StepDecision Decide(std::vector<uint64_t>& running, std::vector<uint64_t>& waiting);
  void Preempt(uint64_t key);
  void Begin(Sequence& sequence, int cached, absl::Time now);
  void Enter(uint64_t key, int tokens, scheduler::StepPlan& plan);
  void TakeToken(uint64_t key, const absl::StatusOr<sampling::Sampled>& sampled, absl::Time now);
  void EndChoice(uint64_t key, EndReason reason, absl::Time now);
  // Takes a sequence out and gives its blocks back as soon as no step uses them.
  void Remove(uint64_t key);
  void ReleaseSiblings(uint64_t id);
  void Finish(uint64_t id, const absl::Status& status, absl::Time now);
  bool IsEndOfSequence(int32_t token) const;
  void ShowGauges();

  const Options options_;
  EngineMetrics& metrics_;
  cache::BlockTables tables_;
  std::map<uint64_t, Request> requests_;
  std::map<uint64_t, Sequence> sequences_;
  uint64_t step_ = 0;
  bool step_under_way_ = false;
  std::vector<InStep> in_step_;
  // Ended during the step that is under way.
  std::vector<uint64_t> closing_;
};

}  // namespace terminus::services::decoder::pipeline
