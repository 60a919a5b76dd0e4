#pragma once

#include <ATen/ATen.h>

#include <string>

#include "absl/status/statusor.h"

namespace terminus::models::bundle {

// "cpu", "cuda:N", or "auto", which is the CPU as long as the encoders compute there only: a GPU is
// answered UNIMPLEMENTED, or FAILED_PRECONDITION where there is none, saying why. INVALID_ARGUMENT
// for any other name.
absl::StatusOr<at::Device> ResolveDevice(const std::string& name);

}  // namespace terminus::models::bundle
