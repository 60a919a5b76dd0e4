#pragma once

#include <cuda_runtime_api.h>

#include "models/cuda/cuda_api.h"

namespace terminus::models::cuda {

// As cuda_api.h says of attention.
cudaError_t LaunchPackedAttention(const TerminusCudaAttention& args, cudaStream_t stream);

}  // namespace terminus::models::cuda
