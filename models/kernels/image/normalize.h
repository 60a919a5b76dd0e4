#pragma once

#include <array>
#include <cstdint>

namespace terminus::models::kernels {

// What becomes of a pixel: value · scale + shift, for each of the three colours.
struct PixelTransform {
  std::array<float, 3> scale = {1, 1, 1};
  std::array<float, 3> shift = {0, 0, 0};
};

// pixels [count, 3] → out [count, 3].
void NormalizePixels(const uint8_t* pixels, int64_t count, const PixelTransform& transform,
                     float* out);

}  // namespace terminus::models::kernels
