#pragma once

#include <memory>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/grammar/grammar.h"
#include "common/grammar/source.h"
#include "services/decoder/pipeline/token_constraint.h"

namespace terminus::services::decoder::edge {

// Makes a constraint of its own for each choice. They share the grammar.
pipeline::ConstraintFactory ConstraintsOf(std::shared_ptr<const grammar::Grammar> grammar);

// The error of a call whose output format could not be compiled: it names the field of
// GenerateRequest where the source is at fault, and says when to try again where the server is.
absl::Status FormatError(const absl::Status& status, grammar::Source::Kind kind);

}  // namespace terminus::services::decoder::edge
