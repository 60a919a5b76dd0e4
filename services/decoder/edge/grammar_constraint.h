#pragma once

#include <memory>

#include "absl/status/status.h"
#include "common/grammar/grammar.h"
#include "common/grammar/source.h"
#include "services/decoder/pipeline/token_constraint.h"

namespace terminus::services::decoder::edge {

// Makes a constraint of its own for each choice. They share the grammar, which was compiled from a
// source of that kind.
pipeline::ConstraintFactory ConstraintsOf(std::shared_ptr<const grammar::Grammar> grammar,
                                          grammar::Source::Kind kind);

// The error of a call whose output format could not be compiled, or could not be followed: it names
// the field of GenerateRequest where the format is at fault, and says when to try again where the
// server is.
absl::Status FormatError(const absl::Status& status, grammar::Source::Kind kind);

// How an answer with an output format ended. Names the field where the settings of the generation
// forbid all that the format allows; else it is `status`.
absl::Status AnswerError(const absl::Status& status, grammar::Source::Kind kind);

}  // namespace terminus::services::decoder::edge
