#pragma once

#include <memory>

#include "models/decoder/causal_lm.h"
#include "models/decoder/lm_runner.h"
#include "models/decoder/step_runner.h"
#include "models/sampling/rules.h"

namespace terminus::models::decoder {

// What executes steps of a model that LoadCausalLm loaded: the engine of a GPU itself, which has
// the slots and the tokens of its LmOptions; else an LmRunner of these options. Requires: the model
// is first and last stage in one, and has the tokens of the rules. No torch in this header.
std::unique_ptr<StepRunner> MakeRunner(std::unique_ptr<CausalLm> lm, sampling::LogitRules rules,
                                       LmRunner::Options options);

}  // namespace terminus::models::decoder
