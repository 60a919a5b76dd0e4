#include "models/cuda/normalize_pixels.h"

namespace terminus::models::cuda {
namespace {

constexpr int kThreads = 256;
// Pixels a thread: twelve bytes in, three pairs of two bf16 out.
constexpr int kPixels = 4;

__global__ void NormalizePixels(const uint8_t* __restrict__ pixels, int64_t area, float3 scale,
                                float3 shift, __nv_bfloat16* __restrict__ out) {
  const int64_t image = blockIdx.y;
  const int64_t first = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * kPixels;
  const uint8_t* in = pixels + image * area * 3;
  __nv_bfloat16* red = out + image * area * 3;
  for (int64_t pixel = first; pixel < min(first + kPixels, area); ++pixel) {
    red[pixel] = __float2bfloat16(in[pixel * 3] * scale.x + shift.x);
    red[area + pixel] = __float2bfloat16(in[pixel * 3 + 1] * scale.y + shift.y);
    red[2 * area + pixel] = __float2bfloat16(in[pixel * 3 + 2] * scale.z + shift.z);
  }
}

}  // namespace

cudaError_t LaunchNormalizePixels(const uint8_t* pixels, int64_t count, int64_t area, float3 scale,
                                  float3 shift, __nv_bfloat16* out, cudaStream_t stream) {
  constexpr int64_t kMaxGridY = 65535;
  if (count == 0 || area == 0) {
    return cudaSuccess;
  }
  if (count > kMaxGridY) {
    return cudaErrorInvalidValue;
  }
  const int64_t per_block = static_cast<int64_t>(kThreads) * kPixels;
  const dim3 grid(static_cast<unsigned>((area + per_block - 1) / per_block),
                  static_cast<unsigned>(count));
  NormalizePixels<<<grid, kThreads, 0, stream>>>(pixels, area, scale, shift, out);
  return cudaGetLastError();
}

}  // namespace terminus::models::cuda
