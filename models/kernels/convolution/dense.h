#pragma once

#include <cstdint>

#include "models/kernels/convolution/geometry.h"
#include "models/kernels/convolution/packed_panels.h"
#include "models/kernels/convolution/row_kernels.h"

namespace terminus::models::kernels {

// A square convolution between all channels, with what follows it: y = clamp(convolution(x) + bias
// + residual), for one image whose channels lie together. The rows under the kernel are read where
// they lie: nothing is unfolded, nothing reordered but the weight, once. Where it pays, a 3×3
// kernel is Winograd's (winograd.h).
//
// Runs on the calling thread alone; several may share the object, and share an image in parts. Each
// output is summed in the same order, so the result is the same to the bit in any number of parts.
class DenseConvolution {
 public:
  struct Options {
    int64_t in = 0;
    int64_t out = 0;
    int kernel = 1;
    int stride = 1;
    Range range;
  };

  // weight [out, in, kernel, kernel], bias [out]; copied.
  DenseConvolution(const Options& options, const float* weight, const float* bias,
                   const RowKernels& kernels);

  const Options& options() const { return options_; }

  // Part `part` of `parts`. x [in_height, in_width, in] → y [out_height, out_width, out].
  // `residual` is null or of y's shape. `scratch` holds ScratchFloats.
  void Run(const Geometry& geometry, int part, int parts, const float* x, const float* residual,
           float* y, float* scratch) const;

  int64_t ScratchFloats(const Geometry& geometry) const;

 private:
  // How a geometry is cut. A line is the outputs that one call of a row kernel makes: a row of
  // them, or where pixels are independent of their place, some that follow each other. Of
  // Winograd's it is a tile.
  struct Plan {
    bool flat;       // Lines are not rows.
    bool pads;       // Inputs are copied with zeros around them.
    bool by_panels;  // The weight, larger than the input, is what parts divide.
    int64_t lines;
    int64_t strip_lines;  // Lines made together, panel after panel.
    int64_t row_floats;   // From one row of inputs to the next.
  };

  Plan PlanFor(const Geometry& geometry) const;
  // Of output rows [first, last), the inputs → scratch, with zeros around them.
  void Pad(const Geometry& geometry, const Plan& plan, int64_t first, int64_t last, const float* x,
           float* scratch) const;
  // Lines [first, last) of one panel. `x` is the input, or if padded, what Pad made from `origin`
  // on.
  void RunPanel(const Geometry& geometry, const Plan& plan, int64_t panel, int64_t first,
                int64_t last, const float* x, int64_t origin, const float* residual,
                float* y) const;
  Plan WinogradPlanFor(const Geometry& geometry) const;
  // Tiles [first, last) of one panel, from what TransformInput made of [origin, end). `sums` is
  // scratch.
  void RunWinogradPanel(const Geometry& geometry, int64_t panel, int64_t first, int64_t last,
                        const float* points, int64_t origin, int64_t end, const float* residual,
                        float* y, float* sums) const;

  Options options_;
  bool winograd_;
  const RowKernels& kernels_;
  PackedPanels packed_;
};

}  // namespace terminus::models::kernels
