#pragma once

#include <cstdint>

namespace terminus::models::kernels {

// y = x / sqrt(mean(x²) + eps) · weight for each of `rows` rows of `width`, as in "Root Mean Square
// Layer Normalization" (Zhang and Sennrich, 2019). y may be x.
void RmsNorm(const float* x, const float* weight, float eps, int64_t rows, int64_t width, float* y);

}  // namespace terminus::models::kernels
