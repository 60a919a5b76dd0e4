#pragma once

#include <cstdint>

#include "models/kernels/simd_width.h"

namespace terminus::models::kernels {

// y = (x - mean) / sqrt(variance + eps) · weight + bias for each row alone, float32.
// "Layer Normalization", Ba et al., 2016.
struct LayerNormArgs {
  const float* x = nullptr;       // [rows, width]
  const float* weight = nullptr;  // [width]
  const float* bias = nullptr;    // [width]
  float* y = nullptr;             // [rows, width]; may be x.
  int64_t rows = 0;
  int64_t width = 0;
  float eps = 0;
};

// Runs on the calling thread and LibTorch's. `simd_width` is one of kSimdWidths that the processor
// supports, or 0 for code that runs on any.
void LayerNorm(const LayerNormArgs& args, int simd_width = SimdWidth());

}  // namespace terminus::models::kernels
