#pragma once

#include <memory>

#include "models/decoder/causal_lm.h"
#include "models/decoder/lm_runner.h"
#include "models/decoder/step_runner.h"
#include "models/sampling/rules.h"

namespace terminus::models::decoder {

// Makes the runner that executes steps of a model from LoadCausalLm. A GPU engine is a runner
// itself, with the slots and tokens of its LmOptions; any other model gets an LmRunner with
// `options`. Requires: the model is the only stage, and its vocabulary holds the tokens of `rules`.
// No torch in this header.
std::unique_ptr<StepRunner> MakeRunner(std::unique_ptr<CausalLm> lm, sampling::LogitRules rules,
                                       LmRunner::Options options);

}  // namespace terminus::models::decoder
