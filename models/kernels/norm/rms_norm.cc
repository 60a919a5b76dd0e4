#include "models/kernels/norm/rms_norm.h"

#include <cmath>

#include "models/kernels/simd.h"

#pragma GCC diagnostic ignored "-Wpsabi"

namespace terminus::models::kernels {
namespace {

float SumOfSquares(const float* x, int64_t width) {
  Vec sums = {};
  int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes) {
    const Vec v = Load(x + i);
    sums += v * v;
  }
  float sum = Sum(sums);
  for (; i < width; ++i) {
    sum += x[i] * x[i];
  }
  return sum;
}

}  // namespace

void RmsNorm(const float* x, const float* weight, float eps, int64_t rows, int64_t width,
             float* y) {
  for (int64_t row = 0; row < rows; ++row, x += width, y += width) {
    const float scale = 1 / std::sqrt(SumOfSquares(x, width) / static_cast<float>(width) + eps);
    for (int64_t i = 0; i < width; ++i) {
      y[i] = x[i] * scale * weight[i];
    }
  }
}

}  // namespace terminus::models::kernels
