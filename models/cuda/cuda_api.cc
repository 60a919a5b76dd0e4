#include "models/cuda/cuda_api.h"

#include <cuda_runtime_api.h>

#include "models/cuda/normalize_pixels.h"

namespace {

int NormalizePixels(const uint8_t* pixels, int64_t count, int64_t area, const float* scale,
                    const float* shift, void* out, void* stream) {
  return terminus::models::cuda::LaunchNormalizePixels(
      pixels, count, area, {scale[0], scale[1], scale[2]}, {shift[0], shift[1], shift[2]},
      static_cast<__nv_bfloat16*>(out), static_cast<cudaStream_t>(stream));
}

constexpr TerminusCudaApi kApi = {TERMINUS_CUDA_API_VERSION, NormalizePixels};

}  // namespace

const TerminusCudaApi* terminus_cuda_api() { return &kApi; }
