#pragma once

#include <ATen/ATen.h>

#include <vector>

#include "common/executor/encoder.h"
#include "models/kernels/image/normalize.h"
#include "models/nn/convolution.h"

namespace terminus::models::vision {

// A convolution as it is in the checkpoint, folded with the batch normalisation behind it.
struct Layer {
  nn::Convolution::Options options;
  at::Tensor weight;  // As nn::Convolution takes it.
  at::Tensor bias;
};

// Convolutions one behind the other; around them a shortcut where the shapes allow one.
struct Block {
  std::vector<Layer> layers;  // Expand (not in the first block), filter each channel, project.
  bool shortcut = false;
};

// A stem, inverted residuals, and a head whose features are averaged over the image.
struct Layers {
  Layer stem;
  std::vector<Block> blocks;
  Layer head;
};

// Those layers made ready to run.
class Backbone {
 public:
  virtual ~Backbone() = default;

  // Pixels → pooled features [batch, features] on the device. For one thread at a time.
  virtual at::Tensor Features(const executor::ImageBatch& batch) = 0;
};

}  // namespace terminus::models::vision
