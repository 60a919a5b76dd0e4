#include "models/kernels/image/normalize.h"

#include <vector>

#include "gtest/gtest.h"

namespace terminus::models::kernels {
namespace {

TEST(NormalizePixelsTest, EqualsDefinition) {
  const PixelTransform transform{.scale = {0.5f, 0.25f, 2}, .shift = {-1, 3, 0.5f}};
  for (const int64_t count : {0, 1, 15, 16, 17, 100}) {
    std::vector<uint8_t> pixels(3 * count);
    for (size_t i = 0; i < pixels.size(); ++i) {
      pixels[i] = static_cast<uint8_t>(i * 37);
    }
    std::vector<float> out(pixels.size(), -1e9f);
    NormalizePixels(pixels.data(), count, transform, out.data());
    for (size_t i = 0; i < pixels.size(); ++i) {
      ASSERT_EQ(out[i], pixels[i] * transform.scale[i % 3] + transform.shift[i % 3]) << i;
    }
  }
}

}  // namespace
}  // namespace terminus::models::kernels
