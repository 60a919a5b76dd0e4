#pragma once

#include <cstdint>
#include <limits>
#include <vector>

namespace terminus::models::kernels {

// The inner loops of the convolutions over images whose channels lie together, on the calling
// thread only. Channels are taken in panels of up to three vectors, packed as PackedPanels does it.

// What results are clamped to; not a number stays what it is.
struct Range {
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();
};
inline constexpr Range kRelu = {.low = 0};
inline constexpr Range kRelu6 = {.low = 0, .high = 6};

// y[p, c] = bias[c] + Σ x[p, k] · weight[k, c] + start[p, c], clamped, for the pixels p of a row
// and the channels c of one panel.
struct PanelProduct {
  // The inputs of pixel p: `runs` stretches of `run_length` floats, `run_pitch` apart, the first at
  // x + p · x_stride. One stretch is a 1×1 convolution, several are the rows of a larger kernel.
  const float* x = nullptr;
  int64_t x_stride = 0;
  int64_t runs = 1;
  int64_t run_length = 0;
  int64_t run_pitch = 0;
  const float* weight = nullptr;  // [runs · run_length, vectors · width]
  const float* bias = nullptr;    // [vectors · width]; null: none.
  const float* start = nullptr;   // A residual or the sum so far, may be `y`; null: none.
  int64_t start_stride = 0;
  float* y = nullptr;
  int64_t y_stride = 0;
  int64_t pixels = 0;
  int64_t columns = 0;  // Channels of `start` and `y`: those of the last vector may be fewer.
  Range range;
  // What the next products need, to be fetched into the second-level cache meanwhile: so many
  // floats on from `ahead`.
  const float* ahead = nullptr;
  int64_t ahead_floats = 0;
};

// One row of outputs of a depthwise convolution, clamped to [0, 6], for one panel.
struct DepthwiseRow {
  // The rows of inputs under the kernel's rows [first, last); the others lie outside the image.
  // Pixels are `vectors · width` floats apart, those outside the image are there and 0.
  const float* rows[5] = {};
  int first = 0;
  int last = 0;
  const float* weight = nullptr;  // [kernel, kernel, vectors · width]
  const float* bias = nullptr;    // [vectors · width]
  float* out = nullptr;
  int64_t out_stride = 0;
  int64_t out_width = 0;
  int vectors = 0;
};

// The same loops for one instruction set.
struct RowKernels {
  static constexpr int kMaxVectors = 3;

  using Product = void (*)(const PanelProduct&);
  using Depthwise = void (*)(const DepthwiseRow&);

  const char* name;
  int width;                      // Floats in a vector.
  Product products[kMaxVectors];  // [vectors - 1]
  Depthwise depthwise[2][2];      // [kernel is 5][stride is 2]

  Product ProductFor(int vectors) const { return products[vectors - 1]; }
  // Kernels of 3 and 5, strides of 1 and 2.
  Depthwise DepthwiseFor(int kernel, int stride) const {
    return depthwise[kernel == 5][stride == 2];
  }
};

// What this processor can run, fastest first; never empty.
std::vector<const RowKernels*> SupportedRowKernels();

}  // namespace terminus::models::kernels
