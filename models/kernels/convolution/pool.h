#pragma once

#include <cstdint>

#include "models/kernels/convolution/geometry.h"

namespace terminus::models::kernels {

// Pooling of images whose channels lie together, on the calling thread alone.

// The largest of 3×3 pixels, stride 2, those outside the image left out: rows [first, last) of
// y [out_height, out_width, channels], from x [in_height, in_width, channels].
void MaxPool(const Geometry& geometry, int64_t channels, int64_t first, int64_t last,
             const float* x, float* y);

// x [pixels, channels] → the mean over the pixels of channels [first, last), at its place in means
// [channels].
void MeanPool(const float* x, int64_t pixels, int64_t channels, int64_t first, int64_t last,
              float* means);

}  // namespace terminus::models::kernels
