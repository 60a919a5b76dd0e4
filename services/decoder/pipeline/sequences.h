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

// Tracks all active generations and their KV blocks. Plans each step and applies its results. Has
// no threads and no clock.
//
// A choice is a sequence. The first one computes the prompt; the others wait for it, and then share
// its full blocks. A sequence is in one of three states:
//   waiting   has no blocks: new, or preempted
//   running   has blocks; computed in steps, unless its reader is behind
//   ended     removed; its blocks are freed after the step in flight, if there is one
//
// Used by one thread at a time.
class Sequences {
 public:
  struct Options {
    scheduler::StepLimits limits;
    // Tokens of the longest sequence. Requires: kv_blocks hold as many.
    int max_context = 0;
    int kv_blocks = 0;
    std::vector<int32_t> eos_token_ids;
    // Applied by the stage; they tell whether it must see a sequence's earlier tokens.
    models::sampling::LogitRules rules;
  };

  Sequences(Options options, EngineMetrics& metrics);

  // Requires: `id` is greater than every earlier id.
  void Add(uint64_t id, Generation generation);

  // Ends one choice, as if its last token had been an end-of-sequence token. Does nothing when it
  // has ended already.
  void Stop(uint64_t id, int choice, absl::Time now);

  // Ends the remaining choices of a generation; OnDone gets the status. Does nothing when it has
  // ended already.
  void End(uint64_t id, const absl::Status& status, absl::Time now);
  void EndAll(const absl::Status& status, absl::Time now);
  // Ends the generations whose deadline has passed.
  void Expire(absl::Time now);
  absl::Time next_deadline() const;

  // Begins the next step; nothing when there is nothing to compute. Requires: the last step has
  // been applied.
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
    // Those of the prompt, then the sampled ones.
    std::vector<int32_t> tokens;
    // How many of them have their keys and values in its blocks.
    int computed = 0;
    bool running = false;
    // Waits for the first choice to compute the prompt.
    bool held = false;
    absl::optional<absl::Time> last_token;

    int known() const { return static_cast<int>(tokens.size()); }
  };

  // One sequence of the step in flight.
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
  void TakeToken(uint64_t key, const absl::StatusOr<models::sampling::Sampled>& sampled, absl::Time now);
  void EndChoice(uint64_t key, EndReason reason, absl::Time now);
  // Removes a sequence and frees its blocks as soon as no step uses them.
  void Remove(uint64_t key);
  void ReleaseSiblings(uint64_t id);
  void Finish(uint64_t id, const absl::Status& status, absl::Time now);
  // Tokens of prompt and answer at which a choice ends.
  int MaxLength(const Request& request) const;
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
  // Ended during the step in flight.
  std::vector<uint64_t> closing_;
};

}  // namespace terminus::services::decoder::pipeline
