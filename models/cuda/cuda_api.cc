#include "models/cuda/cuda_api.h"

#include <cuda_runtime_api.h>

#include <cstdio>

#include "models/cuda/normalize_pixels.h"

namespace {

int DeviceCount(char* error, uint64_t size) {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaSuccess) {
    return count;
  }
  std::snprintf(error, size, "%s", cudaGetErrorString(status));
  cudaGetLastError();  // Clears it; no later call shall report it again.
  return -1;
}

uint64_t DescribeDevice(int device, char* name, uint64_t size) {
  cudaDeviceProp properties;
  if (cudaGetDeviceProperties(&properties, device) != cudaSuccess) {
    cudaGetLastError();
    return 0;
  }
  std::snprintf(name, size, "%s", properties.name);
  return properties.totalGlobalMem;
}

int NormalizePixels(const uint8_t* pixels, int64_t count, int64_t area, const float* scale,
                    const float* shift, void* out, void* stream) {
  return terminus::models::cuda::LaunchNormalizePixels(
      pixels, count, area, {scale[0], scale[1], scale[2]}, {shift[0], shift[1], shift[2]},
      static_cast<__nv_bfloat16*>(out), static_cast<cudaStream_t>(stream));
}

constexpr TerminusCudaApi kApi = {TERMINUS_CUDA_API_VERSION, DeviceCount, DescribeDevice,
                                  NormalizePixels};

}  // namespace

const TerminusCudaApi* terminus_cuda_api() { return &kApi; }
