#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime_api.h>

#include <cstdint>

namespace terminus::models::cuda {

// pixels [count, area, 3] → out [count, 3, area], value · scale[c] + shift[c]: what ATen does in a
// cast, a permute, a copy and two more passes, in one that reads each byte once.
cudaError_t LaunchNormalizePixels(const uint8_t* pixels, int64_t count, int64_t area, float3 scale,
                                  float3 shift, __nv_bfloat16* out, cudaStream_t stream);

}  // namespace terminus::models::cuda
