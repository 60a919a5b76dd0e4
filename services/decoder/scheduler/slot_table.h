#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "models/decoder/step_runner.h"
#include "models/sampling/rules.h"
#include "services/decoder/scheduler/plan.h"

namespace terminus::services::decoder::scheduler {

// A rank's record of the sequences in its slots: their lengths and their KV blocks.
// Applies the deltas of plans and makes the arrays that a StepRunner takes. Used by one thread at a
// time.
class SlotTable {
 public:
  // A row of the step's logits that a token is sampled from. The row's number is its index.
  struct Row {
    // The slot's tokens, those of the step included.
    int32_t length = 0;
    bool constrained = false;
  };

  // The table refuses whatever lies outside of what `info` allows.
  SlotTable(const models::decoder::RunnerInfo& info, models::sampling::LogitRules rules);

  // INVALID_ARGUMENT says which part of the plan is wrong; nothing is changed then. To close a slot
  // that is not open is no error, so that a plan which follows a refused one can be applied.
  absl::Status Apply(const StepPlan& plan);

  // The step of the last applied plan. Valid until the next Apply.
  models::decoder::ForwardInput input() const;
  absl::Span<const Row> rows() const { return rows_; }

  // A plan without entries that brings an empty table into the state of this one. `tokens_of` gives
  // the tokens of the sequence in a slot, and is called where the sampling looks at them.
  // Requires: no step is in flight. The next entry of each slot names its token by id.
  StepPlan Snapshot(uint64_t step,
                    absl::FunctionRef<std::vector<int32_t>(int32_t slot)> tokens_of) const;

 private:
  struct Slot {
    bool open = false;
    // Its last entry sampled a token.
    bool sampled = false;
    // Tokens that the slot has with those that were sampled; -1: its sampling looks at none.
    int32_t logged = -1;
    // Tokens with keys and values.
    int32_t length = 0;
    OpenedSlot told;  // Without `computed`, `blocks` and `tokens`.
    std::vector<int32_t> blocks;
  };
  // The changes to one slot by the plan that Apply checks.
  struct Mark {
    bool closed = false;
    bool entered = false;
    const OpenedSlot* opened = nullptr;
  };

  absl::Status Check(const StepPlan& plan);
  absl::Status CheckOpened(const OpenedSlot& opened);
  absl::Status CheckEntry(const StepPlan& plan, const PlanEntry& entry);
  absl::Status CheckEnd(const PlanEntry& entry) const;
  absl::Status CheckSoft(const StepPlan& plan, const PlanEntry& entry) const;
  // INVALID_ARGUMENT: there is no such slot.
  absl::Status CheckSlot(int32_t slot) const;

  void ClearArrays();
  void Open(const OpenedSlot& opened);
  void Enter(const PlanEntry& entry);

  const models::decoder::RunnerInfo info_;
  const models::sampling::LogitRules rules_;
  std::vector<Slot> slots_;
  absl::flat_hash_map<uint64_t, std::shared_ptr<const models::decoder::SoftTokens>> soft_tokens_;

  // By slot, for the plan that Apply checks.
  std::vector<Mark> marks_;

  // The arrays of ForwardInput.
  std::vector<int32_t> token_ids_;
  std::vector<int32_t> positions_;
  std::vector<int32_t> query_indptr_;
  std::vector<int32_t> entered_slots_;
  std::vector<int32_t> kv_indptr_;
  std::vector<int32_t> kv_indices_;
  std::vector<int32_t> last_page_len_;
  std::vector<int32_t> logits_sequences_;
  std::vector<models::decoder::SoftSpan> soft_;
  std::vector<Row> rows_;
};

}  // namespace terminus::services::decoder::scheduler
