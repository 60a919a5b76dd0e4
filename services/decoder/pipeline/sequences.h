#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "models/sampling/rules.h"
#include "services/decoder/pipeline/engine_metrics.h"
#include "services/decoder/pipeline/generation.h"
#include "services/decoder/pipeline/leases.h"
#include "services/decoder/pipeline/stage.h"
#include "services/decoder/pipeline/token_constraint.h"
#include "services/decoder/scheduler/plan.h"
#include "services/decoder/scheduler/policy.h"

namespace terminus::services::decoder::pipeline {

// Tracks all active generations and their KV blocks. Plans steps and applies their results. Has no
// threads and no clock.
//
// A step may be planned while earlier ones are in flight: tokens that those sample count as known
// then, and the plan says "from the sampler" in place of their ids. A sequence whose last token by
// length is in flight is not planned again. One that ends for another reason may be in one step
// more; that step's token is dropped.
//
// A choice is a sequence. The first one computes the prompt; the others wait for it, and then share
// its full blocks. A sequence is in one of these states:
//   held       waits for the first choice to compute the prompt
//   waiting    has no blocks: new, or preempted
//   running    has blocks; computed in steps, unless its reader is behind
//   preempted  steps in flight still use its blocks and sample for it; then it waits
// One that ended is removed. Its blocks are freed after its last step in flight.
//
// Used by one thread at a time.
class Sequences {
 public:
  struct Options {
    scheduler::StepLimits limits;
    // Tokens of the longest sequence. Requires: kv_blocks hold as many.
    int max_context = 0;
    int kv_blocks = 0;
    // Sequences that have blocks, at most. Requires: at least limits.max_sequences.
    int slots = 0;
    std::vector<int32_t> eos_token_ids;
    // Applied by the stage; they tell whether it must see a sequence's earlier tokens.
    models::sampling::LogitRules rules;
  };

  // The mask of one row.
  struct MaskRow {
    // The row's generation.
    uint64_t id = 0;
    // Null: the sequence has ended, and any mask will do.
    std::shared_ptr<TokenConstraint> constraint;
    // Tokens of the answer that the constraint has not seen.
    std::vector<int32_t> tokens;
  };
  // The masks of a step: one for each constrained row.
  struct MaskWork {
    uint64_t step = 0;
    std::vector<MaskRow> rows;
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
  // Ends a generation as CANCELLED, which its caller asked for at `asked`.
  void Cancel(uint64_t id, absl::Time asked, absl::Time now);
  // Ends the generations whose deadline has passed.
  void Expire(absl::Time now);
  absl::Time next_deadline() const;

  // Begins the next step; nothing when there is nothing to compute, or nothing before the next
  // result.
  absl::optional<scheduler::StepPlan> Plan(absl::Time now);

  // Ends the oldest step in flight. When it failed, all generations in it fail.
  // Requires: `result` is of that step.
  void Apply(const StepResult& result, absl::Time now);

  // The stage has lost all that it had. The steps in flight have no result, and every sequence that
  // has blocks waits to be computed again, its tokens so far included. Nothing that was sampled
  // before is lost, and what follows is drawn as it would have been.
  void Lose(absl::Time now);

  // The work for the masks of the oldest step in flight, once for each step that needs masks. Each
  // constraint in it is the caller's alone until the step's result is applied.
  absl::optional<MaskWork> TakeMaskWork();

  int steps_in_flight() const { return static_cast<int>(steps_.size()); }
  bool empty() const { return requests_.empty(); }

 private:
  struct Request {
    Generation generation;
    GenerationReport report;
    int live_choices = 0;
    absl::optional<absl::Time> started;
    absl::optional<absl::Time> first_token;
  };

  enum class State { kHeld, kWaiting, kRunning, kPreempted };

  struct Sequence {
    uint64_t id = 0;  // The request's id.
    Request* request = nullptr;
    int choice = 0;
    // Those of the prompt, then the sampled ones.
    std::vector<int32_t> tokens;
    // Tokens that steps in flight sample.
    int pending = 0;
    // Tokens that steps have computed or compute now.
    int launched = 0;
    // The launched tokens whose steps have ended.
    int computed = 0;
    // The last step that it is in; 0: none.
    uint64_t last_step = 0;
    State state = State::kWaiting;
    std::shared_ptr<TokenConstraint> constraint;
    // Tokens, those of the prompt included, that the constraint has seen.
    size_t seen = 0;
    absl::optional<absl::Time> last_token;

    int known() const { return static_cast<int>(tokens.size()) + pending; }
  };

  // One sequence of a step in flight.
  struct InStep {
    uint64_t key = 0;
    int tokens = 0;
    bool sample = false;
    bool constrained = false;
  };
  struct Step {
    uint64_t id = 0;
    std::vector<InStep> entries;
    bool needs_masks = false;
  };

  // Candidates of a plan, and their keys in the order of the views.
  struct Candidates {
    std::vector<uint64_t> running;
    std::vector<uint64_t> waiting;
    std::vector<scheduler::RunningView> running_views;
    std::vector<scheduler::WaitingView> waiting_views;
    scheduler::Supply blocks;
    scheduler::Supply slots;
  };

  // Soft tokens that active generations have.
  struct SoftUse {
    std::shared_ptr<const models::decoder::SoftTokens> tokens;
    int generations = 0;
    bool sent = false;
  };

  // By request, then choice: the order of arrival.
  static uint64_t Key(uint64_t id, int choice) {
    return id * kMaxChoices + static_cast<uint64_t>(choice);
  }

  // In sequences_plan.cc.
  Candidates FindCandidates() const;
  void AddWaiting(std::vector<std::pair<int, uint64_t>> by_priority, Candidates& candidates) const;
  void AddOwnBlocks(Candidates& candidates) const;
  void Preempt(uint64_t key, absl::Time now);
  void Begin(uint64_t key, scheduler::StepPlan& plan, absl::Time now);
  void Enter(uint64_t key, int tokens, scheduler::StepPlan& plan);
  void EnterSoftTokens(const Sequence& sequence, int tokens, scheduler::StepPlan& plan,
                       scheduler::PlanEntry& entry);
  void ShowGauges();

  void EndRequest(uint64_t id, const absl::Status& status, absl::optional<absl::Time> cancelled,
                  absl::Time now);
  void AddSoftTokens(const Generation& generation);
  void DropSoftTokens(const Generation& generation);
  void ApplyEntry(const InStep& entry, const absl::Status& status,
                  const absl::StatusOr<models::sampling::Sampled>* sampled, absl::Time now);
  void TakeToken(uint64_t key, const absl::StatusOr<models::sampling::Sampled>& sampled,
                 absl::Time now);
  void EndChoice(uint64_t key, EndReason reason, absl::Time now);
  // Removes a sequence and returns its lease.
  void Remove(uint64_t key, absl::optional<absl::Time> cancelled, absl::Time now);
  void ReleaseSiblings(uint64_t id);
  void Finish(uint64_t id, const absl::Status& status, absl::Time now);
  // Tokens of prompt and answer at which a choice ends.
  int MaxLength(const Request& request) const;
  bool IsEndOfSequence(const Request& request, int32_t token) const;

  const Options options_;
  EngineMetrics& metrics_;
  Leases leases_;
  std::map<uint64_t, Request> requests_;
  std::map<uint64_t, Sequence> sequences_;
  uint64_t last_step_ = 0;
  // In flight, oldest first.
  std::deque<Step> steps_;
  absl::flat_hash_map<uint64_t, SoftUse> soft_tokens_;
  // Hashes that the stage has and no generation needs.
  std::vector<uint64_t> dropped_soft_tokens_;
};

}  // namespace terminus::services::decoder::pipeline
