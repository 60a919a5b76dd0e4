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
// Returns the tensors in the order of their data; the views point into `file`. INVALID_ARGUMENT,
// saying what, where and what was expected, unless every tensor lies inside the file, has as many
// bytes as its dtype and shape say, and overlaps no other.
absl::StatusOr<std::vector<std::pair<std::string, TensorView>>> ParseSafetensors(
    absl::Span<const std::byte> file);

}  // namespace terminus::weights
