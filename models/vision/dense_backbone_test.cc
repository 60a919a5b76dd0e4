#include "models/vision/dense_backbone.h"

#include <ATen/Parallel.h>

#include <array>
#include <cmath>

#include "gtest/gtest.h"
#include "models/vision/layerwise.h"
#include "models/vision/random_images.h"

namespace terminus::models::vision {
namespace {

using nn::Activation;

constexpr int kFeatures = 72;

Layer RandomLayer(int64_t in, int64_t out, const nn::Convolution::Options& options) {
  const auto taps = static_cast<double>(in * options.kernel * options.kernel);
  return {.options = options,
          .weight = at::randn({out, in, options.kernel, options.kernel}) * (1.5 / std::sqrt(taps)),
          .bias = at::randn({out})};
}

// Blocks of one, two and three convolutions, with and without shortcut and projection.
Layers RandomLayers(nn::Padding padding) {
  const auto layer = [&](int64_t in, int64_t out, int kernel, int stride, Activation activation) {
    return RandomLayer(
        in, out,
        {.kernel = kernel, .stride = stride, .padding = padding, .activation = activation});
  };
  constexpr Activation kNone = Activation::kNone;
  constexpr Activation kRelu = Activation::kRelu;
  return {.stem = layer(3, 24, 7, 2, kRelu),
          .max_pool = true,
          .blocks = {{.layers = {layer(24, 16, 1, 1, kRelu), layer(16, 16, 3, 1, kRelu),
                                 layer(16, 64, 1, 1, kNone)},
                      .shortcut = true,
                      .projection = layer(24, 64, 1, 1, kNone),
                      .activation = kRelu},
                     {.layers = {layer(64, 64, 3, 1, kRelu), layer(64, 64, 3, 1, kNone)},
                      .shortcut = true,
                      .projection = {},
                      .activation = kRelu},
                     {.layers = {layer(64, 40, 1, 2, Activation::kRelu6)}},
                     {.layers = {layer(40, 96, 3, 2, kRelu), layer(96, 96, 3, 1, kNone)},
                      .shortcut = true,
                      .projection = layer(40, 96, 1, 2, kNone),
                      .activation = kRelu}},
          .head = layer(96, kFeatures, 1, 1, kRelu)};
}

class DenseBackboneTest : public testing::TestWithParam<nn::Padding> {
 protected:
  DenseBackboneTest() {
    at::manual_seed(1);
    layers_ = RandomLayers(GetParam());
  }

  Layers layers_;
  const kernels::PixelTransform transform_{.scale = {0.02f, 0.015f, 0.01f},
                                           .shift = {-2, -1.5f, -1}};
};

TEST_P(DenseBackboneTest, EqualsLayerwise) {
  ASSERT_TRUE(DenseBackbone::Supports(layers_));
  Layerwise layerwise(layers_, transform_);
  for (const kernels::RowKernels* kernels : kernels::SupportedRowKernels()) {
    DenseBackbone dense(layers_, transform_, *kernels);
    // Sizes change from batch to batch; images left over are shared by the threads.
    for (const auto& [count, height, width] :
         {std::array{1, 97, 131}, {2, 97, 131}, {5, 64, 33}, {1, 8, 8}}) {
      const executor::ImageBatch batch = RandomImages(count, height, width);
      const at::Tensor features = dense.Features(batch);
      ASSERT_EQ(features.sizes(), at::IntArrayRef({count, kFeatures}));
      EXPECT_LT((features - layerwise.Features(batch)).abs().max().item<double>(), 1e-4)
          << kernels->name << ", " << count << " images of " << width << "×" << height;
    }
  }
}

TEST_P(DenseBackboneTest, ResultDoesNotDependOnThreads) {
  const int threads = at::get_num_threads();
  DenseBackbone dense(layers_, transform_, *kernels::SupportedRowKernels().front());
  const executor::ImageBatch batch = RandomImages(3, 80, 90);
  at::set_num_threads(1);
  const at::Tensor alone = dense.Features(batch);
  for (const int more : {2, 4, 7}) {
    at::set_num_threads(more);
    EXPECT_TRUE(at::equal(dense.Features(batch), alone)) << more << " threads";
  }
  at::set_num_threads(threads);
}

INSTANTIATE_TEST_SUITE_P(Paddings, DenseBackboneTest,
                         testing::Values(nn::Padding::kSame, nn::Padding::kSymmetric));

TEST(DenseBackboneSupportsTest, KnownLayersOnly) {
  const Layers layers = RandomLayers(nn::Padding::kSame);
  EXPECT_TRUE(DenseBackbone::Supports(layers));
  Layers other = layers;
  other.stem.weight = other.stem.weight.to(at::kBFloat16);
  EXPECT_FALSE(DenseBackbone::Supports(other));
  other = layers;
  other.blocks[1].layers[0].options.depthwise = true;
  EXPECT_FALSE(DenseBackbone::Supports(other));
}

}  // namespace
}  // namespace terminus::models::vision
