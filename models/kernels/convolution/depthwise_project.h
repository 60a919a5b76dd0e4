#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "models/kernels/convolution/packed_panels.h"
#include "models/kernels/convolution/row_kernels.h"

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

// The inner half of an inverted residual ("MobileNetV2", Sandler et al., 2018): a depthwise
// convolution with ReLU6 and the 1×1 projection behind it, for one image. Depth first: the many
// channels in between, which the caller makes row by row on demand, stay in the second-level cache;
// only the few channels before and behind ever reach memory.
//
// Runs on the calling thread alone; several may share the object. A channel's sums do not depend on
// how the rows are split.
class DepthwiseProject {
 public:
  struct Options {
    int64_t channels = 0;  // In between.
    int64_t out_channels = 0;
    int kernel = 0;  // 3 or 5.
    int stride = 0;  // 1 or 2.
  };

  // What one call computes. Large images are shared out by rows, small ones by channels in between:
  // then each share is a sum of its own, to be added up by the caller. The first share has the bias
  // and the shortcut.
  struct Share {
    int64_t first_row = 0;  // Of the output.
    int64_t last_row = 0;
    int64_t first_panel = 0;  // Of the channels in between.
    int64_t last_panel = 0;
  };

  // Writes row y of a panel of the channels in between, [in_width, panel.width], to `row`.
  using Source = absl::FunctionRef<void(int64_t y, int64_t panel, float* row)>;

  // depthwise [channels, kernel, kernel], project [out_channels, channels], a bias each; copied.
  DepthwiseProject(const Options& options, const float* depthwise, const float* depthwise_bias,
                   const float* project, const float* project_bias, const RowKernels& kernels);

  // How the channels in between are cut.
  const std::vector<Panel>& panels() const { return depthwise_.panels(); }

  Share Whole(const Geometry& geometry) const;

  // Whether sharing by channels costs less than rows that two shares both need.
  bool SharesByChannels(const Geometry& geometry) const;

  // `out` is [out_height, out_width, out_channels], of which the share's rows are written;
  // `shortcut` is null or of the same shape, and is added. `scratch` holds ScratchFloats.
  void Run(const Geometry& geometry, const Share& share, Source source, const float* shortcut,
           float* out, float* scratch) const;

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

  Plan PlanFor(const Geometry& geometry) const;
  float* WindowOf(const Plan& plan, float* scratch, int64_t panel) const;
  void Expand(const Geometry& geometry, const Plan& plan, const Strip& strip, Source source,
              int64_t panel, float* window) const;
  void Filter(const Geometry& geometry, const Plan& plan, const Strip& strip, int64_t panel,
              const float* window, float* filtered) const;
  void Project(PanelProduct product, int64_t channel) const;

  Options options_;
  const RowKernels& kernels_;
  PackedPanels depthwise_;
  PackedPanels project_;
};

}  // namespace terminus::models::kernels
