#pragma once

#include <cstdint>

namespace terminus::models::kernels {

// A depthwise convolution over images whose channels lie together:
//   out[n, y, x, c] = clamp(bias[c] + Σ in[n, y·stride + i - pad_top, x·stride + j - pad_left, c]
//                                        · weight[i, j, c], low, high)
// where what lies outside the image counts as 0.
struct DepthwiseArgs {
  const float* in = nullptr;      // [batch, in_height, in_width, channels]
  const float* weight = nullptr;  // [kernel, kernel, channels]
  const float* bias = nullptr;    // [channels]
  float* out = nullptr;           // [batch, out_height, out_width, channels]
  int64_t batch = 0;
  int64_t in_height = 0;
  int64_t in_width = 0;
  int64_t out_height = 0;
  int64_t out_width = 0;
  int64_t channels = 0;  // A multiple of 8.
  int kernel = 0;
  int stride = 0;
  int64_t pad_top = 0;
  int64_t pad_left = 0;
  float low = 0;
  float high = 0;
};

// Kernels of 3 and 5, strides of 1 and 2.
bool DepthwiseSupports(int64_t channels, int kernel, int stride);

// Runs on the calling thread and LibTorch's.
void Depthwise(const DepthwiseArgs& args);

}  // namespace terminus::models::kernels
