#pragma once

#include <cstdint>
#include <vector>

#include "models/kernels/convolution/packed_panels.h"
#include "models/kernels/convolution/row_kernels.h"

namespace terminus::models::kernels {

// A 1×1 convolution with ReLU6, panel by panel. Runs on the calling thread alone; several may share
// the object.
class Pointwise {
 public:
  // weight [out, in], bias [out]; copied.
  Pointwise(const float* weight, const float* bias, int64_t in, int64_t out,
            const RowKernels& kernels);

  const std::vector<Panel>& panels() const { return packed_.panels(); }

  // x [pixels, in] → y [pixels, panel.width].
  void Run(const float* x, int64_t pixels, int64_t panel, float* y) const;

  // x [pixels, in] → the mean over the pixels of each channel of panels [first, last), at its place
  // in means [out]. `scratch` holds MeansScratchFloats.
  void Means(const float* x, int64_t pixels, int64_t first, int64_t last, float* means,
             float* scratch) const;

  int64_t MeansScratchFloats(int64_t pixels) const {
    return pixels * RowKernels::kMaxVectors * kernels_.width;
  }

 private:
  const RowKernels& kernels_;
  int64_t in_;
  PackedPanels packed_;
};

}  // namespace terminus::models::kernels
