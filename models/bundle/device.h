#pragma once

#include <ATen/ATen.h>

#include <string>

#include "absl/status/statusor.h"
#include "models/nn/placement.h"

namespace terminus::models::bundle {

// Where and in what an encoder computes. `device`: "cpu", "cuda:N", or "auto", which is the first
// GPU, or the CPU where there is none. `precision`: "float32", on a GPU also "bfloat16" and "fp8"
// (products in FP8 between values in bfloat16), or "auto", which is bfloat16 on a GPU and float32
// on the CPU. FAILED_PRECONDITION when there is no such GPU, saying why; INVALID_ARGUMENT for any
// other name, and for a precision that the device does not have.
absl::StatusOr<nn::Placement> ResolvePlacement(const std::string& device,
                                               const std::string& precision);

// The same device for language models.
absl::StatusOr<at::Device> ResolveDevice(const std::string& name);

}  // namespace terminus::models::bundle
