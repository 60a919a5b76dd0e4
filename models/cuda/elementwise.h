#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "models/cuda/cuda_api.h"

// What lies between the matrix products of a transformer, each in one pass over memory. Numbers
// are bfloat16 and are computed with in float32.
namespace terminus::models::cuda {

using Output = TerminusCudaOutput;

constexpr int kLayerNormMaxWidth = 2048;

// As cuda_api.h says of layer_norm.
cudaError_t LaunchLayerNorm(const void* x, const void* weight, const void* bias, int64_t rows,
                            int width, float eps, const Output& out, cudaStream_t stream);

// As it says of activation.
cudaError_t LaunchActivation(const void* x, int64_t count, TerminusCudaActivation activation,
                             const Output& out, cudaStream_t stream);

// Keeps the stream busy for about as long, and nothing else: what is put into it meanwhile runs
// without a wait for the CPU.
cudaError_t LaunchDelay(int microseconds, cudaStream_t stream);

}  // namespace terminus::models::cuda
