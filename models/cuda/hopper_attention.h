#pragma once

#include <cuda_runtime_api.h>

#include "models/cuda/cuda_api.h"

namespace terminus::models::cuda {

// Packed attention by Hopper's own instructions. cudaErrorNotSupported on another device, and for
// sequences too long for its shared memory.
cudaError_t LaunchHopperAttention(const TerminusCudaAttention& args, cudaStream_t stream);

}  // namespace terminus::models::cuda
