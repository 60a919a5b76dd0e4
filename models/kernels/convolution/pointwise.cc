#include "models/kernels/convolution/pointwise.h"

#include <algorithm>

namespace terminus::models::kernels {

Pointwise::Pointwise(const float* weight, const float* bias, int64_t in, int64_t out,
                     const RowKernels& kernels)
    : kernels_(kernels), in_(in), packed_(weight, bias, in, out, kernels) {}

void Pointwise::Run(const float* x, int64_t pixels, int64_t panel, float* y) const {
  const Panel& shape = panels()[panel];
  const PanelProduct product{.x = x,
                             .x_stride = in_,
                             .run_length = in_,
                             .weight = packed_.weight(panel),
                             .bias = packed_.bias(panel),
                             .y = y,
                             .y_stride = shape.width,
                             .pixels = pixels,
                             .columns = shape.width,
                             .range = kRelu6};
  kernels_.ProductFor(shape.vectors)(product);
}

void Pointwise::Means(const float* x, int64_t pixels, int64_t first, int64_t last, float* means,
                      float* scratch) const {
  for (int64_t i = first; i < last; ++i) {
    const Panel& panel = panels()[i];
    Run(x, pixels, i, scratch);
    float* mean = means + panel.first;
    std::fill_n(mean, panel.columns, 0.0f);
    for (int64_t p = 0; p < pixels; ++p) {
      for (int64_t c = 0; c < panel.columns; ++c) {
        mean[c] += scratch[p * panel.width + c];
      }
    }
    for (int64_t c = 0; c < panel.columns; ++c) {
      mean[c] /= static_cast<float>(pixels);
    }
  }
}

}  // namespace terminus::models::kernels
