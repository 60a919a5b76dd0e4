#pragma once

#include <cstdint>
#include <vector>

#include "models/kernels/convolution/geometry.h"
#include "models/kernels/convolution/row_kernels.h"

// F(2×2, 3×3) of "Fast Algorithms for Convolutional Neural Networks" (Lavin and Gray, 2015): tiles
// of 2×2 outputs of a 3×3 convolution with stride 1 from 16 products of transformed inputs and
// weights, where the convolution itself takes 36. The transforms are sums alone, so little
// precision is lost. On the calling thread alone.
namespace terminus::models::kernels::winograd {

inline constexpr int kPoints = 16;

inline int64_t Columns(const Geometry& g) { return (g.out_width + 1) / 2; }
inline int64_t Tiles(const Geometry& g) { return (g.out_height + 1) / 2 * Columns(g); }

// weight [out, in, 3, 3] → [out, kPoints, in].
std::vector<float> TransformWeight(const float* weight, int64_t out, int64_t in);

// The inputs of tiles [first, last), counted row by row, of x [in_height, in_width, channels], a
// multiple of 16 channels, → points [kPoints, last - first, channels].
void TransformInput(const Geometry& geometry, int64_t channels, int64_t first, int64_t last,
                    const float* x, float* points);

// The outputs of tiles: clamp(transformed sums + bias + residual).
struct Output {
  const float* points = nullptr;    // [kPoints, last - first, channels]
  int64_t channels = 0;             // Of those of y, so many from y on: a multiple of 8.
  const float* bias = nullptr;      // [channels]
  const float* residual = nullptr;  // As y; null: none.
  float* y = nullptr;               // [out_height, out_width, pitch]
  int64_t pitch = 0;                // From one pixel to the next.
  Range range;
};
void TransformOutput(const Geometry& geometry, int64_t first, int64_t last, const Output& args);

}  // namespace terminus::models::kernels::winograd
