#include "models/vision/depth_first.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <utility>

#include "models/kernels/phases.h"

namespace terminus::models::vision {
namespace {

using kernels::DepthwiseProject;
using kernels::Geometry;

kernels::Pointwise ReadyPointwise(const Layer& layer, const kernels::RowKernels& kernels) {
  return kernels::Pointwise(layer.weight.contiguous().const_data_ptr<float>(),
                            layer.bias.contiguous().const_data_ptr<float>(), layer.weight.size(1),
                            layer.weight.size(0), kernels);
}

bool IsRelu6(const Layer& layer) { return layer.options.activation == nn::Activation::kRelu6; }

bool IsPointwise(const Layer& layer) {
  return layer.options.kernel == 1 && layer.options.stride == 1 && !layer.options.depthwise;
}

bool IsFilter(const Layer& layer) {
  const nn::Convolution::Options& options = layer.options;
  return options.depthwise && (options.kernel == 3 || options.kernel == 5) &&
         (options.stride == 1 || options.stride == 2) && IsRelu6(layer);
}

}  // namespace

bool DepthFirst::Supports(const Layers& layers) {
  const Layer& stem = layers.stem;
  bool supported = stem.weight.device().is_cpu() && stem.weight.scalar_type() == at::kFloat &&
                   stem.options.kernel == kernels::Stem::kKernel &&
                   stem.options.stride == kernels::Stem::kStride && IsRelu6(stem) &&
                   !layers.max_pool && layers.head && IsPointwise(*layers.head) &&
                   IsRelu6(*layers.head);
  for (size_t i = 0; i < layers.blocks.size(); ++i) {
    const std::vector<Layer>& block = layers.blocks[i].layers;
    supported = supported && !layers.blocks[i].projection &&
                layers.blocks[i].activation == nn::Activation::kNone &&
                block.size() == (i == 0 ? 2 : 3) &&
                (i == 0 || (IsPointwise(block[0]) && IsRelu6(block[0]))) &&
                IsFilter(block[block.size() - 2]) && IsPointwise(block.back()) &&
                !IsRelu6(block.back()) && !(i == 0 && layers.blocks[i].shortcut);
  }
  return supported && !layers.blocks.empty();
}

DepthFirst::DepthFirst(Layers layers, const kernels::PixelTransform& transform,
                       const kernels::RowKernels& kernels)
    : stem_(layers.stem.weight.contiguous().const_data_ptr<float>(),
            layers.stem.bias.contiguous().const_data_ptr<float>(), layers.stem.weight.size(0),
            transform, kernels),
      stem_options_(layers.stem.options),
      head_(ReadyPointwise(*layers.head, kernels)),
      features_(layers.head->weight.size(0)) {
  for (Block& block : layers.blocks) {
    const Layer& filter = block.layers[block.layers.size() - 2];
    const Layer& project = block.layers.back();
    const int64_t channels = filter.weight.size(0);
    blocks_.push_back(
        {.expand = std::nullopt,
         .project = DepthwiseProject({.channels = channels,
                                      .out_channels = project.weight.size(0),
                                      .kernel = filter.options.kernel,
                                      .stride = filter.options.stride},
                                     filter.weight.contiguous().const_data_ptr<float>(),
                                     filter.bias.contiguous().const_data_ptr<float>(),
                                     project.weight.contiguous().const_data_ptr<float>(),
                                     project.bias.contiguous().const_data_ptr<float>(), kernels),
         .depthwise = filter.options,
         .in_channels = block.layers.front().weight.size(1),
         .out_channels = project.weight.size(0),
         .shortcut = block.shortcut});
    if (block.layers.size() == 3) {
      blocks_.back().expand.emplace(ReadyPointwise(block.layers[0], kernels));
    }
    block.layers.clear();  // Repacked: two copies of everything would be too much.
  }
}

DepthFirst::Shape DepthFirst::ShapeFor(int64_t height, int64_t width, int workers) const {
  Shape shape{.height = height, .width = width, .workers = workers};
  shape.stem = GeometryFor(stem_options_, height, width);
  shape.stem_floats = kernels::Stem::ScratchFloats(shape.stem);
  int64_t rows = shape.stem.out_height;
  int64_t columns = shape.stem.out_width;
  int64_t scratch = 0;
  for (const ReadyBlock& block : blocks_) {
    const Geometry geometry = GeometryFor(block.depthwise, rows, columns);
    rows = geometry.out_height;
    columns = geometry.out_width;
    shape.blocks.push_back(geometry);
    scratch = std::max(scratch, block.project.ScratchFloats(geometry));
    const int64_t out = OutPixels(geometry) * block.out_channels;
    shape.activation_floats = std::max(shape.activation_floats, out);
    if (block.project.SharesByChannels(geometry)) {
      shape.filtered_floats =
          std::max(shape.filtered_floats, block.project.FilteredFloats(geometry));
    }
  }
  scratch = std::max(scratch, head_.MeansScratchFloats(rows * columns));
  shape.scratch_floats = shape.stem_floats + scratch;
  AddSteps(shape);
  return shape;
}

void DepthFirst::AddSteps(Shape& shape) const {
  for (size_t i = 0; i < blocks_.size(); ++i) {
    if (blocks_[i].project.SharesByChannels(shape.blocks[i])) {
      shape.steps.push_back({Step::Kind::kFilter, i, shape.workers});
      shape.steps.push_back({Step::Kind::kProject, i, shape.workers});
    } else {
      shape.steps.push_back({Step::Kind::kRows, i, shape.workers});
    }
  }
  shape.steps.push_back({Step::Kind::kHead, blocks_.size(), shape.workers});
}

void DepthFirst::Prepare(const executor::ImageBatch& batch, int workers) {
  if (shape_.height == batch.height && shape_.width == batch.width && shape_.workers == workers) {
    return;
  }
  shape_ = ShapeFor(batch.height, batch.width, workers);
  workspaces_.clear();
  for (int i = 0; i < workers; ++i) {
    workspaces_.push_back({.scratch = kernels::AlignedFloats(shape_.scratch_floats),
                           .activations = {kernels::AlignedFloats(shape_.activation_floats),
                                           kernels::AlignedFloats(shape_.activation_floats)}});
  }
  shared_ = {.scratch = kernels::AlignedFloats(shape_.filtered_floats),
             .activations = {kernels::AlignedFloats(shape_.activation_floats),
                             kernels::AlignedFloats(shape_.activation_floats)}};
}

template <typename Use>
void DepthFirst::WithSource(size_t block, const uint8_t* pixels, const float* x,
                            float* stem_scratch, Use use) const {
  const ReadyBlock& b = blocks_[block];
  if (!b.expand) {
    kernels::Stem::Image image(stem_, shape_.stem, pixels, stem_scratch);
    use([&](int64_t y, int64_t panel, float* row) { image.Row(y, panel, row); });
    return;
  }
  const int64_t width = shape_.blocks[block].in_width;
  use([&](int64_t y, int64_t panel, float* row) {
    b.expand->Run(x + y * width * b.in_channels, width, panel, row);
  });
}

void DepthFirst::RunImage(const uint8_t* pixels, float* features, Workspace& workspace) const {
  const float* x = nullptr;
  float* const scratch = workspace.scratch.data();
  for (size_t i = 0; i < blocks_.size(); ++i) {
    float* out = workspace.activations[i % 2].data();
    const ReadyBlock& block = blocks_[i];
    const Geometry& geometry = shape_.blocks[i];
    WithSource(i, pixels, x, scratch, [&](DepthwiseProject::Source source) {
      block.project.Run(geometry, 0, geometry.out_height, source, block.shortcut ? x : nullptr, out,
                        scratch + shape_.stem_floats);
    });
    x = out;
  }
  head_.Means(x, OutPixels(shape_.blocks.back()), 0, static_cast<int64_t>(head_.panels().size()),
              features, scratch);
}

void DepthFirst::RunStep(const Step& step, int unit, const uint8_t* pixels, float* features,
                         float* scratch) {
  const float* x = shared_.activations[(step.block + 1) % 2].data();
  const auto share = [&](int64_t count, int begin) { return count * begin / step.units; };
  if (step.kind == Step::Kind::kHead) {
    const auto panels = static_cast<int64_t>(head_.panels().size());
    head_.Means(x, OutPixels(shape_.blocks.back()), share(panels, unit), share(panels, unit + 1),
                features, scratch);
    return;
  }
  const ReadyBlock& block = blocks_[step.block];
  const Geometry& geometry = shape_.blocks[step.block];
  const float* shortcut = block.shortcut ? x : nullptr;
  float* out = shared_.activations[step.block % 2].data();
  float* filtered = shared_.scratch.data();
  if (step.kind == Step::Kind::kProject) {
    const int64_t count = OutPixels(geometry);
    block.project.Project(geometry, share(count, unit), share(count, unit + 1), filtered, shortcut,
                          out);
    return;
  }
  float* const rest = scratch + shape_.stem_floats;
  WithSource(step.block, pixels, x, scratch, [&](DepthwiseProject::Source source) {
    if (step.kind == Step::Kind::kRows) {
      const int64_t count = geometry.out_height;
      block.project.Run(geometry, share(count, unit), share(count, unit + 1), source, shortcut, out,
                        rest);
    } else {
      const auto count = static_cast<int64_t>(block.project.panels().size());
      block.project.Filter(geometry, share(count, unit), share(count, unit + 1), source, filtered,
                           rest);
    }
  });
}

at::Tensor DepthFirst::Features(const executor::ImageBatch& batch) {
  const int workers = at::get_num_threads();
  Prepare(batch, workers);
  at::Tensor features = at::empty({batch.count, features_}, at::kFloat);
  auto* const out = features.mutable_data_ptr<float>();
  const int64_t bytes = static_cast<int64_t>(batch.height) * batch.width * 3;
  const ImageShares shares = ShareImages(batch.count, workers);
  std::vector<int> units = {shares.whole};
  for (int i = 0; i < shares.shared; ++i) {
    for (const Step& step : shape_.steps) {
      units.push_back(step.units);
    }
  }
  const auto steps = static_cast<int>(shape_.steps.size());
  kernels::RunPhases(units, [&](int phase, int unit, int worker) {
    const int image = phase == 0 ? unit : shares.whole + (phase - 1) / steps;
    const uint8_t* pixels = batch.pixels.data() + image * bytes;
    if (phase == 0) {
      RunImage(pixels, out + image * features_, workspaces_[worker]);
    } else {
      RunStep(shape_.steps[(phase - 1) % steps], unit, pixels, out + image * features_,
              workspaces_[worker].scratch.data());
    }
  });
  return features;
}

}  // namespace terminus::models::vision
