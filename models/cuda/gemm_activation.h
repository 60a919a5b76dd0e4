#pragma once

#include <cuda_runtime_api.h>

#include "models/cuda/cuda_api.h"

namespace terminus::models::cuda {

// Products of our own, by CUTLASS, for activations that cuBLASLt does not apply itself: on Hopper,
// in bfloat16, with a bias and without a residual. cudaErrorNotSupported for all else, and where
// the library was built without CUTLASS.
cudaError_t LaunchGemmActivation(const TerminusCudaMatmul& args, cudaStream_t stream);

}  // namespace terminus::models::cuda
