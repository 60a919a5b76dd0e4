#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/decoder/sampling/sampler.h"

// What one step computes, as it is handed to the stages: versioned flat bytes, the same inside a
// process and between ranks.
namespace terminus::services::decoder::scheduler {

// Changes with every change of the bytes; ranks that do not agree on it must not work together.
inline constexpr uint32_t kPlanVersion = 1;

// The next tokens of one sequence.
struct PlanEntry {
  // Names the sequence for as long as it lives.
  uint64_t sequence = 0;
  // Place of tokens[0] in the sequence.
  int32_t first_position = 0;
  // At least one.
  std::vector<int32_t> tokens;
  // The sequence's KV blocks, exactly as many as hold all its tokens after this step.
  std::vector<int32_t> blocks;
  // Whether a token is sampled from the logits of the last one.
  bool sample = false;
  // Only when it is.
  sampling::Parameters sampling;
};

struct StepPlan {
  uint64_t step = 0;
  std::vector<PlanEntry> entries;
};

// What a plan is checked against, so that a stage never leaves its memory.
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
