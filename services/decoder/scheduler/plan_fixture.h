#pragma once

#include "services/decoder/scheduler/plan.h"
#include "services/decoder/scheduler/slot_table.h"

// Shared plans and options of the scheduler's tests.
namespace terminus::services::decoder::scheduler {

inline models::decoder::RunnerInfo SmallInfo() {
  return {.vocab_size = 100,
          .hidden_size = 2,
          .max_context = 64,
          .kv_blocks = 10,
          .slots = 4,
          .max_tokens = 32};
}

// Has a value other than the default in each field, and opens slots 2 and 3 of an empty table.
inline StepPlan Example() {
  auto soft = std::make_shared<models::decoder::SoftTokens>();
  *soft = {.content_hash = 0xfedcba9876543210, .rows = 2, .values = {0.5f, -1, 2, 3}};
  OpenedSlot plain{.slot = 3,
                   .sampling = {.temperature = 0},
                   .prompt_length = 19,
                   .max_length = 40,
                   .computed = 16,
                   .blocks = {9}};
  OpenedSlot looking{.slot = 2,
                     .constrained = true,
                     .sampling = {.temperature = 0.5f,
                                  .top_k = 40,
                                  .top_p = 0.9f,
                                  .min_p = 0.1f,
                                  .repetition_penalty = 1.5f,
                                  .frequency_penalty = 0.25f,
                                  .presence_penalty = -0.5f,
                                  .logit_bias = {{7, -2.5f}, {8, 1}},
                                  .min_tokens = 3,
                                  .seed = ~uint64_t{0},
                                  .choice = 5,
                                  .top_logprobs = 20},
                     .prompt_length = 2,
                     .max_length = 50,
                     .tokens = {98, 0, 5}};
  PlanEntry prompt{.slot = 3, .tokens = {1, 2, 99}, .new_blocks = {0}};
  prompt.soft = {{.first_token = 1, .first_row = 0, .rows = 2, .content_hash = soft->content_hash}};
  PlanEntry whole{.slot = 2, .sample = true, .tokens = {98, 0, 5}, .new_blocks = {3, 4}};
  return {.step = 12,
          .closed = {0},
          .dropped_soft_tokens = {0x0123456789abcdef},
          .soft_tokens = {soft},
          .opened = {plain, looking},
          .entries = {prompt, whole}};
}

// A step behind Example that decodes slot 2.
inline StepPlan Decode() {
  return {.step = 13,
          .entries = {{.slot = 2, .sample = true, .tokens = {models::decoder::kFromSampler}}}};
}

}  // namespace terminus::services::decoder::scheduler
