#include "models/kernels/convolution/packed_panels.h"

#include <algorithm>

namespace terminus::models::kernels {

std::vector<Panel> SplitIntoPanels(int64_t channels, const RowKernels& kernels) {
  const int64_t vectors = (channels + kernels.width - 1) / kernels.width;
  const int64_t count = (vectors + RowKernels::kMaxVectors - 1) / RowKernels::kMaxVectors;
  std::vector<Panel> panels;
  int64_t first = 0;
  for (int64_t i = 0; i < count; ++i) {
    const auto mine = static_cast<int>(vectors / count + (i < vectors % count ? 1 : 0));
    const int64_t width = static_cast<int64_t>(mine) * kernels.width;
    panels.push_back({first, std::min(width, channels - first), mine, width});
    first += width;
  }
  return panels;
}

PackedPanels::PackedPanels(const float* weight, const float* bias, int64_t in, int64_t out,
                           const RowKernels& kernels)
    : in_(in), panels_(SplitIntoPanels(out, kernels)) {
  const int64_t padded = panels_.back().first + panels_.back().width;
  weight_ = AlignedFloats(padded * in);
  bias_ = AlignedFloats(padded);
  std::copy_n(bias, out, bias_.data());
  for (const Panel& panel : panels_) {
    float* packed = weight_.data() + panel.first * in;
    for (int64_t k = 0; k < in; ++k) {
      for (int64_t c = 0; c < panel.columns; ++c) {
        packed[k * panel.width + c] = weight[(panel.first + c) * in + k];
      }
    }
  }
}

}  // namespace terminus::models::kernels
