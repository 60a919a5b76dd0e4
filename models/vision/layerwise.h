#pragma once

#include <vector>

#include "models/vision/backbone.h"

namespace terminus::models::vision {

// One layer after the other over the whole batch, as ATen computes them: for any device and dtype,
// and what DepthFirst is tested against.
class Layerwise : public Backbone {
 public:
  Layerwise(const Layers& layers, const kernels::PixelTransform& transform);

  at::Tensor Features(const executor::ImageBatch& batch) override;

 private:
  struct ReadyBlock {
    std::vector<nn::Convolution> convolutions;
    bool shortcut;
  };

  kernels::PixelTransform transform_;
  at::TensorOptions options_;
  nn::Convolution stem_;
  std::vector<ReadyBlock> blocks_;
  nn::Convolution head_;
};

}  // namespace terminus::models::vision
