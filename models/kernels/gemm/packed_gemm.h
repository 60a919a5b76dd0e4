#pragma once

#include <cstdint>

#include "models/kernels/activation.h"
#include "models/kernels/simd_width.h"

namespace terminus::models::kernels {

// y = activation(x Wᵀ + bias) + residual, float32, for a weight that is packed once and used often.
// Needs SimdWidth() > 0. Compared with oneDNN's inner product it costs nothing to start,
// which counts for the few rows of a single text and for the small maps of an image. Each output is
// summed in the order of the inputs, so a row's result does not depend on the rows beside it.
struct GemmArgs {
  const float* x = nullptr;         // [rows, in]
  const float* weight = nullptr;    // From PackWeight.
  const float* bias = nullptr;      // [out]; null: none.
  const float* residual = nullptr;  // [rows, out]; null: none.
  float* y = nullptr;               // [rows, out]
  int64_t rows = 0;
  int64_t in = 0;
  int64_t out = 0;
  Activation activation = Activation::kNone;
};

// `width` is one of kSimdWidths that the processor supports; a weight is packed for one of them.

// Floats that the packed form takes.
int64_t PackedSize(int64_t in, int64_t out, int width = SimdWidth());

// weight [out, in] → packed.
void PackWeight(const float* weight, int64_t in, int64_t out, float* packed,
                int width = SimdWidth());

// Runs on the calling thread and LibTorch's.
void PackedGemm(const GemmArgs& args, int width = SimdWidth());

}  // namespace terminus::models::kernels
