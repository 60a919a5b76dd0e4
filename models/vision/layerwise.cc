#include "models/vision/layerwise.h"

#include <utility>

#include "models/vision/vision_tower.h"

namespace terminus::models::vision {
namespace {

nn::Convolution Ready(const Layer& layer) {
  return nn::Convolution(layer.options, layer.weight, layer.bias);
}

}  // namespace

Layerwise::Layerwise(const Layers& layers, const kernels::PixelTransform& transform)
    : transform_(transform),
      options_(layers.stem.weight.options()),
      stem_(Ready(layers.stem)),
      head_(Ready(layers.head)) {
  for (const Block& block : layers.blocks) {
    ReadyBlock ready{.convolutions = {}, .shortcut = block.shortcut};
    for (const Layer& layer : block.layers) {
      ready.convolutions.push_back(Ready(layer));
    }
    blocks_.push_back(std::move(ready));
  }
}

at::Tensor Layerwise::Features(const executor::ImageBatch& batch) {
  at::Tensor x = stem_.Forward(Normalize(batch, transform_).to(options_));
  for (const ReadyBlock& block : blocks_) {
    at::Tensor y = x;
    for (size_t i = 0; i + 1 < block.convolutions.size(); ++i) {
      y = block.convolutions[i].Forward(y);
    }
    const nn::Convolution& project = block.convolutions.back();
    x = block.shortcut ? project.ForwardAdd(y, x) : project.Forward(y);
  }
  return head_.Forward(x).mean({1, 2});
}

}  // namespace terminus::models::vision
