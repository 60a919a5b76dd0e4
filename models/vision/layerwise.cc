#include "models/vision/layerwise.h"

#include <array>
#include <utility>

#include "common/base/freed_memory.h"
#include "models/vision/vision_tower.h"

namespace terminus::models::vision {
namespace {

// Each layer is taken, so that its weight goes when it is repacked.
nn::Convolution Ready(Layer layer) {
  nn::Convolution ready(layer.options, layer.weight, layer.bias);
  layer = {};
  base::ReturnFreedMemory();
  return ready;
}

std::optional<nn::Convolution> Ready(std::optional<Layer> layer) {
  return layer ? std::optional(Ready(*std::move(layer))) : std::nullopt;
}

// x [batch, height, width, channels]; the largest of 3 × 3 pixels, one around the image added.
at::Tensor MaxPool(const at::Tensor& x) {
  const std::array<int64_t, 2> kernel = {3, 3};
  const std::array<int64_t, 2> stride = {2, 2};
  const std::array<int64_t, 2> padding = {1, 1};
  return at::max_pool2d(x.permute({0, 3, 1, 2}), kernel, stride, padding)
      .permute({0, 2, 3, 1})
      .contiguous();
}

}  // namespace

Layerwise::Layerwise(Layers layers, const kernels::PixelTransform& transform)
    : transform_(transform),
      dtype_(layers.stem.weight.scalar_type()),
      stem_(Ready(std::move(layers.stem))),
      max_pool_(layers.max_pool),
      head_(Ready(std::move(layers.head))) {
  for (Block& block : layers.blocks) {
    ReadyBlock ready{.convolutions = {},
                     .shortcut = block.shortcut,
                     .projection = Ready(std::move(block.projection)),
                     .activation = block.activation};
    for (Layer& layer : block.layers) {
      ready.convolutions.push_back(Ready(std::move(layer)));
    }
    blocks_.push_back(std::move(ready));
  }
}

at::Tensor Layerwise::RunBlock(const ReadyBlock& block, const at::Tensor& x) {
  at::Tensor y = x;
  for (size_t i = 0; i + 1 < block.convolutions.size(); ++i) {
    y = block.convolutions[i].Forward(y);
  }
  const nn::Convolution& last = block.convolutions.back();
  if (!block.shortcut) {
    return last.Forward(y);
  }
  return last.ForwardAdd(y, block.projection ? block.projection->Forward(x) : x, block.activation);
}

at::Tensor Layerwise::Run(const at::Tensor& pixels) const {
  at::Tensor x = stem_.Forward(pixels);
  if (max_pool_) {
    x = MaxPool(x);
  }
  for (const ReadyBlock& block : blocks_) {
    x = RunBlock(block, x);
  }
  return (head_ ? head_->Forward(x) : x).mean({1, 2});
}

at::Tensor Layerwise::Features(const executor::ImageBatch& batch) {
  return Run(Normalize(batch, transform_).to(dtype_));
}

at::Tensor Layerwise::FeaturesOf(const at::Tensor& pixels) const {
  return Run(NormalizePixels(pixels, transform_, dtype_));
}

}  // namespace terminus::models::vision
