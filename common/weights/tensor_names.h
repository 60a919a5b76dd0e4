#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace terminus::weights {

// A part of a tensor's name as a file may write it, and as the model does. The part ends where a
// word ends: "fc1" is not found in "fc10".
struct Spelling {
  absl::string_view file;
  absl::string_view model;
  bool at_start = false;  // Only where the name begins with it.
};

// How the names in a file become those that a model asks for, as transformers does it: checkpoints
// of a model with a head have the model's name in front of its tensors, others do not, and parts of
// names have changed over time. Refers to constants.
struct TensorNames {
  // Each is dropped where a name begins with it, one after the other: "bert.".
  absl::Span<const absl::string_view> prefixes = {};
  // Each is replaced once, in this order, after the prefixes were dropped.
  absl::Span<const Spelling> spellings = {};
};

// The model's name of a tensor that a file calls `name`. What every family has in common is applied
// too: "LayerNorm.gamma" and "LayerNorm.beta" are weight and bias.
std::string ModelName(absl::string_view name, const TensorNames& names);

}  // namespace terminus::weights
