#pragma once

#include <cuda_runtime_api.h>

namespace terminus::models::cuda {

// Whether the current device has what kernels for Hopper alone ("90a") are compiled for.
inline bool IsHopper() {
  int device = 0;
  int major = 0;
  return cudaGetDevice(&device) == cudaSuccess &&
         cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) == cudaSuccess &&
         major == 9;
}

}  // namespace terminus::models::cuda
