#include "models/kernels/simd_width.h"

#include "gtest/gtest.h"

namespace terminus::models::kernels {
namespace {

TEST(SimdWidthTest, IsTheWidestSupported) {
  EXPECT_FALSE(SimdSupports(0));
  EXPECT_FALSE(SimdSupports(4));
  const int widest = SimdWidth();
  EXPECT_TRUE(widest == 0 || SimdSupports(widest));
  for (const int width : kSimdWidths) {
    EXPECT_TRUE(width <= widest || !SimdSupports(width)) << width;
  }
}

}  // namespace
}  // namespace terminus::models::kernels
