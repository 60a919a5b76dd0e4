#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "models/decoder/causal_lm.h"
#include "models/decoder/lm_options.h"

namespace terminus::models::decoder {

// Loads the language model of a Hugging Face folder (config.json, safetensors) onto `device`;
// `options.device` is not looked at. INVALID_ARGUMENT names the file and what is wrong with the
// configuration, the tensors, the layer range, the KV sizes, or with the tensor slice and its
// group. UNIMPLEMENTED for a slice on a GPU. FAILED_PRECONDITION, with the sums, when the device
// has no room for it; then no weight was read.
absl::StatusOr<std::unique_ptr<CausalLm>> LoadCausalLm(const std::string& folder, at::Device device,
                                                       LmOptions options);

}  // namespace terminus::models::decoder
