#pragma once

#include <ATen/ATen.h>

#include <optional>
#include <string>
#include <vector>

#include "common/executor/encoder.h"
#include "models/kernels/convolution/geometry.h"
#include "models/kernels/image/normalize.h"
#include "models/nn/convolution.h"
#include "models/nn/loader.h"

namespace terminus::models::vision {

// A convolution as it is in the checkpoint, folded with the batch normalisation behind it.
struct Layer {
  nn::Convolution::Options options;
  at::Tensor weight;  // As nn::Convolution takes it.
  at::Tensor bias;
};

// Reads a convolution without bias, and the normalisation behind it, by their tensors' names.
Layer LoadLayer(const std::string& convolution, const std::string& norm, int in, int out,
                const nn::Convolution::Options& options, double batch_norm_eps,
                const nn::Loader& loader);

// Convolutions one behind the other; around them a shortcut where the shapes allow one.
struct Block {
  std::vector<Layer> layers;  // Of an inverted residual: expand, filter each channel, project.
  bool shortcut = false;
  // What the shortcut goes through, where it is more than the block's own input.
  std::optional<Layer> projection;
  nn::Activation activation = nn::Activation::kNone;  // Behind their sum: kNone or kRelu.
};

// A stem, residual blocks, and features that are averaged over the image, of a head if there is
// one.
struct Layers {
  Layer stem;
  bool max_pool = false;  // Behind the stem: the largest of 3 × 3, stride 2.
  std::vector<Block> blocks;
  std::optional<Layer> head;
};

// What a convolution makes of images of `height` × `width`.
kernels::Geometry GeometryFor(const nn::Convolution::Options& options, int64_t height,
                              int64_t width);

// Of a batch's images: so many that workers take whole, and the rest, which all workers share
// unless they would keep most of them busy by themselves.
struct ImageShares {
  int whole;
  int shared;
};
ImageShares ShareImages(int images, int workers);

// Those layers made ready to run.
class Backbone {
 public:
  virtual ~Backbone() = default;

  // Pixels → pooled features [batch, features]. For weights on the CPU, one thread at a time.
  virtual at::Tensor Features(const executor::ImageBatch& batch) = 0;
};

}  // namespace terminus::models::vision
