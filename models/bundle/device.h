#pragma once

#include <ATen/ATen.h>

#include <string>

#include "absl/status/statusor.h"

namespace terminus::models::bundle {

// "cpu", "cuda:N", or "auto": cuda:0 where there is one, else the CPU. FAILED_PRECONDITION says
// why a GPU that was asked for cannot be used; INVALID_ARGUMENT for any other name.
absl::StatusOr<at::Device> ResolveDevice(const std::string& name);

}  // namespace terminus::models::bundle
