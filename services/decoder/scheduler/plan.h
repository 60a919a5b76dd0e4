#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "models/decoder/soft_tokens.h"
#include "models/sampling/parameters.h"

// The plan of one step, as the stages get it. It is a delta: what a stage has been told about a
// sequence is not repeated. See docs/step_plan.md.
namespace terminus::services::decoder::scheduler {

// Changes with every change of the bytes. Ranks with different versions must not work together.
inline constexpr uint32_t kPlanVersion = 3;

// A sequence gets a slot. All that does not change while it has the slot is told here.
struct OpenedSlot {
  int32_t slot = 0;
  // Its tokens are sampled under masks that are sent later.
  bool constrained = false;
  models::sampling::Parameters sampling;
  // Tokens of its prompt, and of prompt and answer at most.
  int32_t prompt_length = 0;
  int32_t max_length = 0;
  // Tokens whose keys and values are in `blocks` already.
  int32_t computed = 0;
  // KV blocks, at least as many as hold `computed` tokens.
  std::vector<int32_t> blocks;
  // All its tokens so far, those that are not computed yet included, where its sampling looks at
  // them; else empty.
  std::vector<int32_t> tokens;

  friend bool operator==(const OpenedSlot&, const OpenedSlot&) = default;
};

// Tokens [first_token, first_token + rows) of an entry are the rows from first_row on of the soft
// tokens with this hash.
struct PlanSoftSpan {
  int32_t first_token = 0;
  int32_t first_row = 0;
  int32_t rows = 0;
  uint64_t content_hash = 0;

  friend bool operator==(const PlanSoftSpan&, const PlanSoftSpan&) = default;
};

// The next tokens of the sequence in a slot.
struct PlanEntry {
  int32_t slot = 0;
  // Whether a token is sampled from the logits of the last one.
  bool sample = false;
  // At least one id; or models::decoder::kFromSampler alone.
  absl::InlinedVector<int32_t, 1> tokens;
  // KV blocks that the sequence got since its last entry.
  absl::InlinedVector<int32_t, 1> new_blocks;
  // Ascending, without overlap.
  std::vector<PlanSoftSpan> soft;

  friend bool operator==(const PlanEntry&, const PlanEntry&) = default;
};

// Takes effect in the order of its members.
struct StepPlan {
  uint64_t step = 0;
  // Slots whose sequences have ended or were preempted.
  std::vector<int32_t> closed;
  // Hashes of soft tokens that no sequence needs any more.
  std::vector<uint64_t> dropped_soft_tokens;
  std::vector<std::shared_ptr<const models::decoder::SoftTokens>> soft_tokens;
  std::vector<OpenedSlot> opened;
  std::vector<PlanEntry> entries;
};

std::string EncodePlan(const StepPlan& plan);

// INVALID_ARGUMENT says what is wrong: other bytes, another version, bytes that end early or late.
// Numbers are not checked: SlotTable does that. Allocates no more than a few times the size of
// `bytes`.
absl::StatusOr<StepPlan> DecodePlan(absl::string_view bytes);

}  // namespace terminus::services::decoder::scheduler
