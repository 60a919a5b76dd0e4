#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "models/kernels/aligned.h"
#include "models/kernels/convolution/depthwise_project.h"
#include "models/kernels/convolution/pointwise.h"
#include "models/kernels/convolution/stem.h"
#include "models/vision/backbone.h"

namespace terminus::models::vision {

// The network on the CPU in float32: each thread takes whole images of its own through all of it,
// block by block and depth first inside a block, with one parallel region for the whole batch. What
// does not come out even is shared out within the blocks. docs/decisions/0007 says why.
class DepthFirst : public Backbone {
 public:
  DepthFirst(Layers layers, const kernels::PixelTransform& transform,
             const kernels::RowKernels& kernels);

  // Whether the layers are of the kinds there are kernels for, and on the CPU in float32.
  static bool Supports(const Layers& layers);

  at::Tensor Features(const executor::ImageBatch& batch) override;

 private:
  struct ReadyBlock {
    std::optional<kernels::Pointwise> expand;  // None: the stem makes the channels in between.
    kernels::DepthwiseProject project;
    nn::Convolution::Options depthwise;
    int64_t in_channels;
    int64_t out_channels;
    bool shortcut;
  };
  // What a worker needs besides the weights.
  struct Workspace {
    kernels::AlignedFloats scratch;
    kernels::AlignedFloats activations[2];  // Behind even blocks and odd ones.
  };
  // A phase of an image that all workers share.
  struct Step {
    enum class Kind { kRows, kFilter, kProject, kHead } kind;
    size_t block;
    int units;
  };
  // All that follows from the size of the images and the number of workers.
  struct Shape {
    int64_t height = 0;
    int64_t width = 0;
    int workers = 0;
    kernels::Geometry stem;
    std::vector<kernels::Geometry> blocks;
    std::vector<Step> steps;
    int64_t activation_floats = 0;  // The most between two blocks.
    int64_t filtered_floats = 0;    // The most between the steps of a block.
    int64_t scratch_floats = 0;
    int64_t stem_floats = 0;  // Of those.
  };

  Shape ShapeFor(int64_t height, int64_t width, int workers) const;
  void AddSteps(Shape& shape) const;
  // Makes everything for batches of this size, unless the last was of the same.
  void Prepare(const executor::ImageBatch& batch, int workers);

  // Calls use(source) with what makes the channels in between of a block: from x, or from the
  // pixels before the first block.
  template <typename Use>
  void WithSource(size_t block, const uint8_t* pixels, const float* x, float* stem_scratch,
                  Use use) const;
  void RunImage(const uint8_t* pixels, float* features, Workspace& workspace) const;
  void RunStep(const Step& step, int unit, const uint8_t* pixels, float* features, float* scratch);

  kernels::Stem stem_;
  nn::Convolution::Options stem_options_;
  std::vector<ReadyBlock> blocks_;
  kernels::Pointwise head_;
  int64_t features_;

  Shape shape_;
  std::vector<Workspace> workspaces_;  // One a worker.
  // Of the image that all share: activations, and the scratch between the steps of a block.
  Workspace shared_;
};

}  // namespace terminus::models::vision
