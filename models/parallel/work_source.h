#pragma once

#include <cstdint>
#include <functional>

#include "models/parallel/cost_model.h"

namespace terminus::models::parallel {

// The next micro-batch of a slot. Called once for each step, in the order of planning.
using WorkSource = std::function<Work(int slot)>;

// Every micro-batch is the same.
WorkSource SteadyWork(const Work& work);

// Sequences that begin with a prompt and end after some tokens, when others take their places.
struct SequenceLoad {
  // Sequences of a slot.
  int rows = 32;
  int prompt_tokens = 512;
  // Mean of the lengths, which are drawn evenly from 1 to 2 · output_tokens - 1.
  int output_tokens = 256;
  // Most tokens of prompts in one step. Longer prompts are computed in several.
  int prompt_budget = 8192;
  uint64_t seed = 1;
};

// At the beginning, all sequences are somewhere in their answers.
// Requires: rows, output_tokens and prompt_budget are at least 1, prompt_tokens at least 0.
WorkSource RandomSequences(const SequenceLoad& load, int slots);

}  // namespace terminus::models::parallel
