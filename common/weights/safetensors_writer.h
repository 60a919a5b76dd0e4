#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/weights/tensor_view.h"

namespace terminus::weights {

// Writes a safetensors file in one step, tensors in the given order, the data aligned to 8 bytes
// from the start of the file on. INVALID_ARGUMENT when a tensor's bytes are not what its dtype and
// shape say, or when a name is empty, reserved or given twice. The whole file is built in memory.
absl::Status WriteSafetensors(const std::string& path,
                              absl::Span<const std::pair<std::string, TensorView>> tensors);

}  // namespace terminus::weights
