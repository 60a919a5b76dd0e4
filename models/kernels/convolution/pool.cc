#include "models/kernels/convolution/pool.h"

#include <algorithm>

#include "models/kernels/simd.h"

namespace terminus::models::kernels {
namespace {

constexpr int kKernel = 3;
constexpr int kStride = 2;

// The taps of output `at` that lie inside an axis of `size`: [first, last).
struct Taps {
  int64_t first;
  int64_t last;
};
Taps TapsOf(int64_t at, int64_t pad, int64_t size) {
  const int64_t first = at * kStride - pad;
  return {std::max<int64_t>(0, first), std::min(size, first + kKernel)};
}

TERMINUS_SIMD_CLONES void MaxInto(const float* x, int64_t count, float* y) {
  for (int64_t i = 0; i < count; ++i) {
    y[i] = x[i] > y[i] ? x[i] : y[i];
  }
}

TERMINUS_SIMD_CLONES void AddInto(const float* x, int64_t count, float* y) {
  for (int64_t i = 0; i < count; ++i) {
    y[i] += x[i];
  }
}

}  // namespace

void MaxPool(const Geometry& g, int64_t channels, int64_t first, int64_t last, const float* x,
             float* y) {
  for (int64_t row = first; row < last; ++row) {
    const Taps rows = TapsOf(row, g.pad_top, g.in_height);
    for (int64_t column = 0; column < g.out_width; ++column) {
      const Taps columns = TapsOf(column, g.pad_left, g.in_width);
      float* const out = y + (row * g.out_width + column) * channels;
      const auto at = [&](int64_t i, int64_t j) { return x + (i * g.in_width + j) * channels; };
      std::copy_n(at(rows.first, columns.first), channels, out);
      for (int64_t i = rows.first; i < rows.last; ++i) {
        for (int64_t j = columns.first; j < columns.last; ++j) {
          MaxInto(at(i, j), channels, out);
        }
      }
    }
  }
}

void MeanPool(const float* x, int64_t pixels, int64_t channels, int64_t first, int64_t last,
              float* means) {
  std::fill(means + first, means + last, 0.0f);
  for (int64_t p = 0; p < pixels; ++p) {
    AddInto(x + p * channels + first, last - first, means + first);
  }
  for (int64_t c = first; c < last; ++c) {
    means[c] /= static_cast<float>(pixels);
  }
}

}  // namespace terminus::models::kernels
