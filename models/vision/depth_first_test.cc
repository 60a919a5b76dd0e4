#include "models/vision/depth_first.h"

#include <ATen/Parallel.h>

#include <array>
#include <cmath>

#include "gtest/gtest.h"
#include "models/vision/layerwise.h"
#include "models/vision/random_images.h"

namespace terminus::models::vision {
namespace {

using nn::Activation;

constexpr int kFeatures = 100;

Layer RandomLayer(int64_t in, int64_t out, nn::Convolution::Options options, nn::Padding padding) {
  options.padding = padding;
  const int64_t taps = (options.depthwise ? 1 : in) * options.kernel * options.kernel;
  return {.options = options,
          .weight = at::randn({out, options.depthwise ? 1 : in, options.kernel, options.kernel}) *
                    (1.5 / std::sqrt(static_cast<double>(taps))),
          .bias = at::randn({out})};
}

// Blocks with and without shortcut, of both kernels and strides, whose images are made in strips
// at first and whole at last.
Layers RandomLayers(nn::Padding padding) {
  const Activation relu6 = Activation::kRelu6;
  const auto block = [&](int64_t in, int64_t out, int kernel, int stride, bool expands) {
    const int64_t inner = expands ? 6 * in : in;
    Block made{.layers = {}, .shortcut = expands && stride == 1 && in == out};
    if (expands) {
      made.layers.push_back(RandomLayer(in, inner, {.activation = relu6}, padding));
    }
    made.layers.push_back(RandomLayer(
        inner, inner, {.kernel = kernel, .stride = stride, .depthwise = true, .activation = relu6},
        padding));
    made.layers.push_back(RandomLayer(inner, out, {}, padding));
    return made;
  };
  return {
      .stem = RandomLayer(3, 32, {.kernel = 3, .stride = 2, .activation = relu6}, padding),
      .blocks = {block(32, 16, 3, 1, false), block(16, 24, 3, 2, true), block(24, 24, 5, 1, true),
                 block(24, 40, 5, 2, true), block(40, 40, 3, 1, true), block(40, 56, 5, 2, true)},
      .head = RandomLayer(56, kFeatures, {.activation = relu6}, padding)};
}

double MaxDifference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

class DepthFirstTest : public testing::TestWithParam<nn::Padding> {
 protected:
  DepthFirstTest() {
    at::manual_seed(1);
    layers_ = RandomLayers(GetParam());
  }

  Layers layers_;
  const kernels::PixelTransform transform_{.scale = {0.02f, 0.015f, 0.01f},
                                           .shift = {-2, -1.5f, -1}};
};

TEST_P(DepthFirstTest, EqualsLayerwise) {
  ASSERT_TRUE(DepthFirst::Supports(layers_));
  Layerwise layerwise(layers_, transform_);
  for (const kernels::RowKernels* kernels : kernels::SupportedRowKernels()) {
    DepthFirst depth_first(layers_, transform_, *kernels);
    // Sizes change from batch to batch; images left over are shared by the threads.
    for (const auto& [count, height, width] :
         {std::array{1, 97, 131}, {2, 97, 131}, {5, 64, 33}, {1, 64, 33}, {3, 224, 224}}) {
      const executor::ImageBatch batch = RandomImages(count, height, width);
      const at::Tensor features = depth_first.Features(batch);
      ASSERT_EQ(features.sizes(), at::IntArrayRef({count, kFeatures}));
      EXPECT_LT(MaxDifference(features, layerwise.Features(batch)), 1e-4)
          << kernels->name << ", " << count << " images of " << width << "×" << height;
    }
  }
}

TEST_P(DepthFirstTest, ResultDoesNotDependOnThreads) {
  const int threads = at::get_num_threads();
  DepthFirst depth_first(layers_, transform_, *kernels::SupportedRowKernels().front());
  const executor::ImageBatch batch = RandomImages(3, 80, 90);
  at::set_num_threads(1);
  const at::Tensor alone = depth_first.Features(batch);
  for (const int more : {2, 4, 7}) {
    at::set_num_threads(more);
    EXPECT_TRUE(at::equal(depth_first.Features(batch), alone)) << more << " threads";
  }
  at::set_num_threads(threads);
}

INSTANTIATE_TEST_SUITE_P(Paddings, DepthFirstTest,
                         testing::Values(nn::Padding::kSame, nn::Padding::kSymmetric));

TEST(DepthFirstSupportsTest, KnownLayersOnly) {
  const Layers layers = RandomLayers(nn::Padding::kSame);
  EXPECT_TRUE(DepthFirst::Supports(layers));
  Layers other = layers;
  other.stem.weight = other.stem.weight.to(at::kBFloat16);
  EXPECT_FALSE(DepthFirst::Supports(other));
  other = layers;
  other.blocks[2].layers[1].options.kernel = 7;
  EXPECT_FALSE(DepthFirst::Supports(other));
  other = layers;
  other.blocks[0].layers[1].options.activation = Activation::kRelu6;
  EXPECT_FALSE(DepthFirst::Supports(other));
}

}  // namespace
}  // namespace terminus::models::vision
