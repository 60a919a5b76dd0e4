#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "models/sampling/sampler.h"

// The plan of one step, as the stages get it: versioned flat bytes, the same inside a process and
// between ranks.
namespace terminus::services::decoder::scheduler {

// Changes with every change of the bytes. Ranks with different versions must not work together.
inline constexpr uint32_t kPlanVersion = 2;

// The next tokens of one sequence.
struct PlanEntry {
  // Names the sequence for as long as it lives.
  uint64_t sequence = 0;
  // Position of tokens[0] in the sequence.
  int32_t first_position = 0;
  // At least one.
  std::vector<int32_t> tokens;
  // The sequence's KV blocks, exactly as many as hold all its tokens after this step.
  std::vector<int32_t> blocks;
  // Whether a token is sampled from the logits of the last one.
  bool sample = false;
  // The rest only when it is.
  models::sampling::Parameters sampling;
  // Tokens of the sequence's prompt, and of prompt and answer at most.
  int32_t prompt_tokens = 0;
  int32_t max_length = 0;
  // The sequence's tokens before `tokens`, all of them, where the sampling looks at them; else
  // empty.
  std::vector<int32_t> earlier;
};

struct StepPlan {
  uint64_t step = 0;
  std::vector<PlanEntry> entries;
};

// Bounds that a plan is checked against, so that a stage never reads or writes outside its memory.
struct PlanBounds {
  int32_t vocab_size = 0;
  int32_t max_context = 0;
  int32_t kv_blocks = 0;
  int32_t block_tokens = 16;
};

std::string EncodePlan(const StepPlan& plan);

// INVALID_ARGUMENT says what is wrong and where: another version, bytes that end early or late, an
// id or a number out of bounds. Allocates no more than a few times the size of `bytes`.
absl::StatusOr<StepPlan> DecodePlan(absl::string_view bytes, const PlanBounds& bounds);

}  // namespace terminus::services::decoder::scheduler
