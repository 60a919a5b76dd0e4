#include "models/vision/dense_backbone.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <utility>

#include "common/base/freed_memory.h"
#include "models/kernels/convolution/pool.h"
#include "models/kernels/phases.h"

namespace terminus::models::vision {
namespace {

using kernels::DenseConvolution;
using kernels::Geometry;

kernels::Range RangeOf(nn::Activation activation) {
  switch (activation) {
    case nn::Activation::kRelu:
      return kernels::kRelu;
    case nn::Activation::kRelu6:
      return kernels::kRelu6;
    default:
      return {};
  }
}

}  // namespace

bool DenseBackbone::Supports(const Layers& layers) {
  const auto dense = [](const Layer& layer) {
    return !layer.options.depthwise && layer.weight.device().is_cpu() &&
           layer.weight.scalar_type() == at::kFloat;
  };
  bool supported = dense(layers.stem) && (!layers.head || dense(*layers.head));
  for (const Block& block : layers.blocks) {
    supported = supported && std::all_of(block.layers.begin(), block.layers.end(), dense) &&
                (!block.projection || dense(*block.projection));
  }
  return supported;
}

DenseBackbone::DenseBackbone(Layers layers, const kernels::PixelTransform& transform,
                             const kernels::RowKernels& kernels)
    : transform_(transform) {
  steps_.push_back({.kind = Step::Kind::kNormalize, .channels = 3, .to = kInner});
  const nn::Activation activation = layers.stem.options.activation;
  AddConvolution(std::move(layers.stem), activation, kInner, kX, {}, kernels);
  Place x = kX;
  if (layers.max_pool) {
    steps_.push_back({.kind = Step::Kind::kMaxPool,
                      .options = {.kernel = 3, .stride = 2},
                      .channels = steps_.back().channels,
                      .from = x,
                      .to = kY});
    x = kY;
  }
  for (Block& block : layers.blocks) {
    x = AddBlock(std::move(block), x, kernels);
  }
  if (layers.head) {
    const nn::Activation head_activation = layers.head->options.activation;
    AddConvolution(*std::move(layers.head), head_activation, x, kInner, {}, kernels);
    x = kInner;
  }
  features_ = steps_.back().channels;
  steps_.push_back({.kind = Step::Kind::kMeanPool, .channels = features_, .from = x, .to = x});
}

void DenseBackbone::AddConvolution(Layer layer, nn::Activation activation, Place from, Place to,
                                   std::optional<Place> residual,
                                   const kernels::RowKernels& kernels) {
  const int64_t out = layer.weight.size(0);
  steps_.push_back(
      {.kind = Step::Kind::kConvolution,
       .options = layer.options,
       .convolution = DenseConvolution({.in = layer.weight.size(1),
                                        .out = out,
                                        .kernel = layer.options.kernel,
                                        .stride = layer.options.stride,
                                        .range = RangeOf(activation)},
                                       layer.weight.contiguous().const_data_ptr<float>(),
                                       layer.bias.contiguous().const_data_ptr<float>(), kernels),
       .channels = out,
       .from = from,
       .to = to,
       .residual = residual});
  layer = {};
  base::ReturnFreedMemory();
}

DenseBackbone::Place DenseBackbone::AddBlock(Block block, Place x,
                                             const kernels::RowKernels& kernels) {
  std::optional<Place> residual;
  if (block.shortcut) {
    residual = x;
  }
  if (block.projection) {
    const nn::Activation activation = block.projection->options.activation;
    AddConvolution(*std::move(block.projection), activation, x, kProjected, {}, kernels);
    residual = kProjected;
  }
  const Place y = x == kX ? kY : kX;
  Place from = x;
  for (size_t i = 0; i + 1 < block.layers.size(); ++i) {
    const Place to = from == kInner ? kOtherInner : kInner;
    const nn::Activation activation = block.layers[i].options.activation;
    AddConvolution(std::move(block.layers[i]), activation, from, to, {}, kernels);
    from = to;
  }
  Layer& last = block.layers.back();
  const nn::Activation activation = block.shortcut ? block.activation : last.options.activation;
  AddConvolution(std::move(last), activation, from, y, residual, kernels);
  return y;
}

DenseBackbone::Shape DenseBackbone::ShapeFor(int64_t height, int64_t width, int workers) const {
  Shape shape{.height = height, .width = width, .workers = workers};
  // Of what lies in each place.
  std::pair<int64_t, int64_t> sizes[kPlaces] = {};
  for (const Step& step : steps_) {
    const auto [rows, columns] =
        step.kind == Step::Kind::kNormalize ? std::pair(height, width) : sizes[step.from];
    const Geometry geometry = GeometryFor(step.options, rows, columns);
    sizes[step.to] = {geometry.out_height, geometry.out_width};
    int64_t& floats = shape.place_floats[step.to];
    floats = std::max(floats, OutPixels(geometry) * step.channels);
    if (step.convolution) {
      shape.scratch_floats =
          std::max(shape.scratch_floats, step.convolution->ScratchFloats(geometry));
    }
    shape.steps.push_back(geometry);
  }
  return shape;
}

void DenseBackbone::Prepare(const executor::ImageBatch& batch, int workers) {
  if (shape_.height == batch.height && shape_.width == batch.width && shape_.workers == workers) {
    return;
  }
  shape_ = ShapeFor(batch.height, batch.width, workers);
  const auto make = [&] {
    Workspace made;
    for (int place = 0; place < kPlaces; ++place) {
      made.places[place] = kernels::AlignedFloats(shape_.place_floats[place]);
    }
    made.scratch = kernels::AlignedFloats(shape_.scratch_floats);
    return made;
  };
  workspaces_.clear();
  for (int i = 0; i < workers; ++i) {
    workspaces_.push_back(make());
  }
  shared_ = make();
}

void DenseBackbone::RunStep(size_t index, int part, int parts, const uint8_t* pixels,
                            float* features, Workspace& image, float* scratch) const {
  const Step& step = steps_[index];
  const Geometry& g = shape_.steps[index];
  const float* const from = image.places[step.from].data();
  float* const to = image.places[step.to].data();
  const auto share = [&](int64_t count, int begin) { return count * begin / parts; };
  switch (step.kind) {
    case Step::Kind::kNormalize:
      // Row by row: how a pixel's value is rounded depends on its place in what is normalised.
      for (int64_t y = share(g.in_height, part); y < share(g.in_height, part + 1); ++y) {
        kernels::NormalizePixels(pixels + y * 3 * g.in_width, g.in_width, transform_,
                                 to + y * 3 * g.in_width);
      }
      return;
    case Step::Kind::kConvolution:
      step.convolution->Run(g, part, parts, from,
                            step.residual ? image.places[*step.residual].data() : nullptr, to,
                            scratch);
      return;
    case Step::Kind::kMaxPool:
      kernels::MaxPool(g, step.channels, share(g.out_height, part), share(g.out_height, part + 1),
                       from, to);
      return;
    case Step::Kind::kMeanPool:
      kernels::MeanPool(from, OutPixels(g), step.channels, share(step.channels, part),
                        share(step.channels, part + 1), features);
      return;
  }
}

at::Tensor DenseBackbone::Features(const executor::ImageBatch& batch) {
  const int workers = at::get_num_threads();
  Prepare(batch, workers);
  at::Tensor features = at::empty({batch.count, features_}, at::kFloat);
  auto* const out = features.mutable_data_ptr<float>();
  const int64_t bytes = static_cast<int64_t>(batch.height) * batch.width * 3;
  const ImageShares shares = ShareImages(batch.count, workers);
  const auto steps = static_cast<int>(steps_.size());
  std::vector<int> units = {shares.whole};
  units.resize(1 + static_cast<size_t>(shares.shared) * steps, workers);
  kernels::RunPhases(units, [&](int phase, int unit, int worker) {
    Workspace& own = workspaces_[worker];
    const int image = phase == 0 ? unit : shares.whole + (phase - 1) / steps;
    const uint8_t* pixels = batch.pixels.data() + image * bytes;
    float* const to = out + image * features_;
    if (phase > 0) {
      RunStep((phase - 1) % steps, unit, workers, pixels, to, shared_, own.scratch.data());
      return;
    }
    for (int step = 0; step < steps; ++step) {
      RunStep(step, 0, 1, pixels, to, own, own.scratch.data());
    }
  });
  return features;
}

}  // namespace terminus::models::vision
