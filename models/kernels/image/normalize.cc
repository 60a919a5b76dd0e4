#include "models/kernels/image/normalize.h"

#include <ATen/Parallel.h>

#include "models/kernels/simd.h"

namespace terminus::models::kernels {
namespace {

TERMINUS_SIMD_CLONES void Run(const uint8_t* pixels, int64_t begin, int64_t end,
                              const PixelTransform& transform, float* out) {
  // Sixteen pixels a step, so that the colours repeat at the same places of the inner loop.
  constexpr int kStep = 3 * kLanes;
  float scale[kStep];
  float shift[kStep];
  for (int i = 0; i < kStep; ++i) {
    scale[i] = transform.scale[i % 3];
    shift[i] = transform.shift[i % 3];
  }
  int64_t i = 3 * begin;
  for (; i + kStep <= 3 * end; i += kStep) {
    for (int j = 0; j < kStep; ++j) {
      out[i + j] = static_cast<float>(pixels[i + j]) * scale[j] + shift[j];
    }
  }
  for (int j = 0; i + j < 3 * end; ++j) {
    out[i + j] = static_cast<float>(pixels[i + j]) * scale[j] + shift[j];
  }
}

}  // namespace

void NormalizePixels(const uint8_t* pixels, int64_t count, const PixelTransform& transform,
                     float* out) {
  at::parallel_for(0, count, 1 << 16,
                   [&](int64_t begin, int64_t end) { Run(pixels, begin, end, transform, out); });
}

}  // namespace terminus::models::kernels
