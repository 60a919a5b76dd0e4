#pragma once

#include <cuda_runtime_api.h>

#include "models/cuda/cuda_api.h"

namespace terminus::models::cuda {

// As cuda_api.h says of matmul. Thread-safe.
cudaError_t Matmul(const TerminusCudaMatmul& args, cudaStream_t stream);

}  // namespace terminus::models::cuda
