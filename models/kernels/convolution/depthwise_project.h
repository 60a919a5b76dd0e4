#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "models/kernels/convolution/geometry.h"
#include "models/kernels/convolution/packed_panels.h"
#include "models/kernels/convolution/row_kernels.h"

namespace terminus::models::kernels {

// The inner half of an inverted residual ("MobileNetV2", Sandler et al., 2018): a depthwise
// convolution with ReLU6 and the 1×1 projection behind it, for one image. Depth first: the many
// channels in between, which the caller makes row by row on demand, stay in the second-level cache;
// only the few channels before and behind ever reach memory.
//
// Runs on the calling thread alone; several may share the object, and share an image: a large one
// by rows, a small one by the channels in between and then by pixels. The result is the same to the
// bit however an image is shared.
class DepthwiseProject {
 public:
  struct Options {
    int64_t channels = 0;  // In between.
    int64_t out_channels = 0;
    int kernel = 0;  // 3 or 5.
    int stride = 0;  // 1 or 2.
  };

  // Writes row y of a panel of the channels in between, [in_width, panel.width], to `row`.
  using Source = absl::FunctionRef<void(int64_t y, int64_t panel, float* row)>;

  // depthwise [channels, kernel, kernel], project [out_channels, channels], a bias each; copied.
  DepthwiseProject(const Options& options, const float* depthwise, const float* depthwise_bias,
                   const float* project, const float* project_bias, const RowKernels& kernels);

  // How the channels in between are cut.
  const std::vector<Panel>& panels() const { return depthwise_.panels(); }

  // Output rows [first, last) of `out` [out_height, out_width, out_channels]. `shortcut` is null or
  // of the same shape, and is added. `scratch` holds ScratchFloats.
  void Run(const Geometry& geometry, int64_t first, int64_t last, Source source,
           const float* shortcut, float* out, float* scratch) const;

  // Whether sharing by channels costs less than the rows that two shares by rows would both need.
  // If so, Filter for all panels and then Project for all pixels do what Run does.
  bool SharesByChannels(const Geometry& geometry) const { return PlanFor(geometry).whole; }

  // Panels [first, last) of `filtered`, which holds FilteredFloats.
  void Filter(const Geometry& geometry, int64_t first, int64_t last, Source source, float* filtered,
              float* scratch) const;

  // Output pixels [first, last), counted row by row.
  void Project(const Geometry& geometry, int64_t first, int64_t last, const float* filtered,
               const float* shortcut, float* out) const;

  int64_t FilteredFloats(const Geometry& geometry) const {
    return geometry.out_height * geometry.out_width * padded_channels();
  }
  int64_t ScratchFloats(const Geometry& geometry) const;

 private:
  // How a geometry is cut to fit into the caches.
  struct Plan {
    bool whole;            // All rows at once, one panel after the other in the same window.
    int64_t strip_rows;    // Rows of outputs made together.
    int64_t window_rows;   // Rows of inputs kept, a ring.
    int64_t window_width;  // Pixels of a row with the zeros around it.
    int64_t group_width;   // Channels in between that are projected together, at most.
  };
  // The rows of one strip: outputs [first, last) need inputs up to in_last, made up to in_first.
  struct Strip {
    int64_t first;
    int64_t last;
    int64_t in_first;
    int64_t in_last;
  };

  int64_t padded_channels() const { return panels().back().first + panels().back().width; }
  Plan PlanFor(const Geometry& geometry) const;
  // Inputs before row `made` are in the window already.
  Strip StripFor(const Geometry& geometry, int64_t first, int64_t last, int64_t made) const;
  int64_t WindowFloats(const Plan& plan) const;
  // The panels projected together that begin with `first`; their end.
  int64_t GroupEnd(const Plan& plan, int64_t first) const;

  void ExpandRows(const Geometry& geometry, const Plan& plan, const Strip& strip, Source source,
                  int64_t panel, float* window) const;
  // `stride` floats from pixel to pixel.
  void FilterRows(const Geometry& geometry, const Plan& plan, const Strip& strip, int64_t panel,
                  const float* window, float* filtered, int64_t stride) const;
  // `x` holds the channels of panels [first, last), `stride` floats from pixel to pixel.
  void ProjectGroup(int64_t first, int64_t last, const float* x, int64_t stride, int64_t pixels,
                    const float* shortcut, float* out) const;

  Options options_;
  const RowKernels& kernels_;
  PackedPanels depthwise_;
  PackedPanels project_;
};

}  // namespace terminus::models::kernels
