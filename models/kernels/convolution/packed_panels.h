#pragma once

#include <cstdint>
#include <vector>

#include "models/kernels/aligned.h"
#include "models/kernels/convolution/row_kernels.h"

namespace terminus::models::kernels {

// Output channels that one call of a row kernel computes.
struct Panel {
  int64_t first = 0;    // Its first channel.
  int64_t columns = 0;  // Its channels.
  int vectors = 0;      // They take so many vectors, the last perhaps not whole.
  int64_t width = 0;    // Floats of those vectors.
};

// Shares channels out over panels of about equal width, none narrower than two vectors where that
// can be: a narrow one waits for its own sums.
std::vector<Panel> SplitIntoPanels(int64_t channels, const RowKernels& kernels);

// The weight and bias of a convolution, panel by panel and padded with zeros to whole vectors.
class PackedPanels {
 public:
  // weight [out, in]: of a matrix product, or the `in` taps of each of `out` filters.
  PackedPanels(const float* weight, const float* bias, int64_t in, int64_t out,
               const RowKernels& kernels);

  const std::vector<Panel>& panels() const { return panels_; }
  int64_t count() const { return static_cast<int64_t>(panels_.size()); }

  // [in, width] of panel i.
  const float* weight(int64_t i) const { return weight_.data() + Offset(i) * in_; }
  // [width] of panel i.
  const float* bias(int64_t i) const { return bias_.data() + Offset(i); }

 private:
  // Only the last panel is padded, so the others lie where their channels are.
  int64_t Offset(int64_t i) const { return panels_[i].first; }

  int64_t in_;
  std::vector<Panel> panels_;
  AlignedFloats weight_;
  AlignedFloats bias_;
};

}  // namespace terminus::models::kernels
