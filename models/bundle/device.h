#pragma once

#include <ATen/ATen.h>

#include <string>

#include "absl/status/statusor.h"

namespace terminus::models::bundle {

// "cpu", "cuda:N", or "auto", which is the CPU as long as the encoders compute there only: a GPU is
// answered UNIMPLEMENTED, or FAILED_PRECONDITION where there is none, saying why. INVALID_ARGUMENT
// for any other name.
absl::StatusOr<at::Device> ResolveDevice(const std::string& name);

// The same for language models, which compute on GPUs too: "auto" is the first GPU, or the CPU
// where there is none.
absl::StatusOr<at::Device> ResolveDecoderDevice(const std::string& name);

}  // namespace terminus::models::bundle
