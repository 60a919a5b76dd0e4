#pragma once

#include <cuda_runtime_api.h>

#include "models/cuda/cuda_api.h"

namespace terminus::models::cuda {

// As cuda_api.h says of patches: what ATen does in a cast, two copies, a padding and two more
// passes, in one.
cudaError_t LaunchPatches(const TerminusCudaPatches& args, cudaStream_t stream);

}  // namespace terminus::models::cuda
