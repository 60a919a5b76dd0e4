#pragma once

#include <cstdint>

namespace terminus::models::kernels {

// Sizes of a convolution's input and output, and the zeros before the input's first row and column.
struct Geometry {
  int64_t in_height = 0;
  int64_t in_width = 0;
  int64_t out_height = 0;
  int64_t out_width = 0;
  int64_t pad_top = 0;
  int64_t pad_left = 0;
};

inline int64_t OutPixels(const Geometry& g) { return g.out_height * g.out_width; }

}  // namespace terminus::models::kernels
