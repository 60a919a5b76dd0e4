#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/weights/tensor_view.h"

namespace terminus::weights {

// The format's own limit on the length of its JSON header.
inline constexpr size_t kMaxHeaderBytes = 100'000'000;

// Reads the header of a whole safetensors file (https://huggingface.co/docs/safetensors): 8 bytes
// little-endian header length, a JSON object name → {dtype, shape, data_offsets}, then the data.
// Returns the tensors in the order of their data; the views point into `file`.
//
// INVALID_ARGUMENT says what is wrong, where, and what was expected. Whatever the safetensors
// library (0.8.0) refuses is refused: among it data that no tensor names, between two tensors or
// behind the last, and tensors that overlap. Refused beyond that, though the library takes it: a
// name given twice, an entry that is an array, more than 16 dimensions, a size above 2^63 - 1, and
// elements of less than a byte.
absl::StatusOr<std::vector<std::pair<std::string, TensorView>>> ParseSafetensors(
    absl::Span<const std::byte> file);

}  // namespace terminus::weights
