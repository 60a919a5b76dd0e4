#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "models/kernels/aligned.h"
#include "models/kernels/convolution/dense.h"
#include "models/vision/backbone.h"

namespace terminus::models::vision {

// Networks of dense and pointwise convolutions on the CPU in float32: each thread takes whole
// images of its own through all of it, with one parallel region for the whole batch. What does not
// come out even is shared out within the layers. docs/decisions/0013 says why.
class DenseBackbone : public Backbone {
 public:
  DenseBackbone(Layers layers, const kernels::PixelTransform& transform,
                const kernels::RowKernels& kernels);

  // Whether the layers are of the kinds there are kernels for, and on the CPU in float32.
  static bool Supports(const Layers& layers);

  at::Tensor Features(const executor::ImageBatch& batch) override;

 private:
  // What lies between the layers of one image. A block reads x and makes y, with `inner` between
  // its convolutions.
  enum Place { kX, kY, kInner, kOtherInner, kProjected, kPlaces };
  struct Step {
    enum class Kind { kNormalize, kConvolution, kMaxPool, kMeanPool } kind;
    nn::Convolution::Options options;
    std::optional<kernels::DenseConvolution> convolution;
    int64_t channels = 0;  // Of the result.
    Place from = kX;
    Place to = kX;
    std::optional<Place> residual;
  };
  struct Workspace {
    kernels::AlignedFloats places[kPlaces];
    kernels::AlignedFloats scratch;
  };
  // All that follows from the size of the images and the number of workers.
  struct Shape {
    int64_t height = 0;
    int64_t width = 0;
    int workers = 0;
    std::vector<kernels::Geometry> steps;
    int64_t place_floats[kPlaces] = {};
    int64_t scratch_floats = 0;
  };

  // Takes the layer, whose weight goes when it is repacked.
  void AddConvolution(Layer layer, nn::Activation activation, Place from, Place to,
                      std::optional<Place> residual, const kernels::RowKernels& kernels);
  // → where its result is.
  Place AddBlock(Block block, Place x, const kernels::RowKernels& kernels);

  Shape ShapeFor(int64_t height, int64_t width, int workers) const;
  // Makes everything for batches of this size, unless the last was of the same.
  void Prepare(const executor::ImageBatch& batch, int workers);
  // Part `part` of `parts` of a step of one image, whose layers are in `image`.
  void RunStep(size_t step, int part, int parts, const uint8_t* pixels, float* features,
               Workspace& image, float* scratch) const;

  kernels::PixelTransform transform_;
  int64_t features_ = 0;
  std::vector<Step> steps_;

  Shape shape_;
  std::vector<Workspace> workspaces_;  // One a worker.
  Workspace shared_;                   // Of the image that all share.
};

}  // namespace terminus::models::vision
