#pragma once

#include <optional>
#include <vector>

#include "models/vision/backbone.h"

namespace terminus::models::vision {

// One layer after the other over the whole batch, as ATen computes them: for any device and dtype,
// and what DepthFirst is tested against.
class Layerwise : public Backbone {
 public:
  Layerwise(Layers layers, const kernels::PixelTransform& transform);

  at::Tensor Features(const executor::ImageBatch& batch) override;

  // uint8 pixels [images, height, width, 3] on the device of the weights → [images, features].
  at::Tensor FeaturesOf(const at::Tensor& pixels) const;

 private:
  struct ReadyBlock {
    std::vector<nn::Convolution> convolutions;
    bool shortcut;
    std::optional<nn::Convolution> projection;
    nn::Activation activation;
  };

  static at::Tensor RunBlock(const ReadyBlock& block, const at::Tensor& x);
  // Normalised pixels [images, height, width, 3] → [images, features].
  at::Tensor Run(const at::Tensor& pixels) const;

  kernels::PixelTransform transform_;
  at::ScalarType dtype_;
  nn::Convolution stem_;
  bool max_pool_;
  std::vector<ReadyBlock> blocks_;
  std::optional<nn::Convolution> head_;
};

}  // namespace terminus::models::vision
