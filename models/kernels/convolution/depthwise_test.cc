#include "models/kernels/convolution/depthwise.h"

#include <ATen/ATen.h>

#include <array>

#include "gtest/gtest.h"

namespace terminus::models::kernels {
namespace {

struct Case {
  int64_t batch, height, width, channels;
  int kernel, stride;
  int64_t before, after;
};

class DepthwiseTest : public testing::TestWithParam<Case> {};

TEST_P(DepthwiseTest, EqualsReference) {
  const Case& c = GetParam();
  at::manual_seed(1);
  const at::Tensor x = at::randn({c.batch, c.channels, c.height, c.width});
  const at::Tensor weight = at::randn({c.channels, 1, c.kernel, c.kernel});
  const at::Tensor bias = at::randn({c.channels});
  const at::Tensor padded = at::constant_pad_nd(x, {c.before, c.after, c.before, c.after});
  const std::array<int64_t, 2> stride = {c.stride, c.stride};
  const std::array<int64_t, 2> no_padding = {0, 0};
  const std::array<int64_t, 2> dilation = {1, 1};
  const at::Tensor expected =
      at::conv2d(padded.to(at::kDouble), weight.to(at::kDouble), bias.to(at::kDouble), stride,
                 no_padding, dilation, c.channels)
          .clamp(0, 6);
  const at::Tensor in = x.permute({0, 2, 3, 1}).contiguous();
  const at::Tensor packed = weight.squeeze(1).permute({1, 2, 0}).contiguous();
  at::Tensor out = at::full({c.batch, expected.size(2), expected.size(3), c.channels}, NAN);
  ASSERT_TRUE(DepthwiseSupports(c.channels, c.kernel, c.stride));
  Depthwise({.in = in.const_data_ptr<float>(),
             .weight = packed.const_data_ptr<float>(),
             .bias = bias.const_data_ptr<float>(),
             .out = out.data_ptr<float>(),
             .batch = c.batch,
             .in_height = c.height,
             .in_width = c.width,
             .out_height = out.size(1),
             .out_width = out.size(2),
             .channels = c.channels,
             .kernel = c.kernel,
             .stride = c.stride,
             .pad_top = c.before,
             .pad_left = c.before,
             .low = 0,
             .high = 6});
  const at::Tensor difference = out.to(at::kDouble) - expected.permute({0, 2, 3, 1});
  EXPECT_LT(difference.abs().max().item<double>(), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Shapes, DepthwiseTest,
                         testing::Values(Case{1, 9, 11, 16, 3, 1, 1, 1},   //
                                         Case{2, 14, 14, 24, 3, 1, 1, 1},  //
                                         Case{1, 12, 12, 32, 3, 2, 0, 1},  //
                                         Case{1, 13, 11, 8, 3, 2, 1, 1},   //
                                         Case{1, 15, 20, 40, 5, 1, 2, 2},  //
                                         Case{3, 10, 10, 16, 5, 2, 1, 2},  //
                                         Case{1, 11, 9, 16, 5, 2, 2, 2},   //
                                         Case{1, 2, 3, 16, 5, 1, 2, 2},    //
                                         Case{1, 1, 1, 16, 5, 2, 2, 2},    //
                                         Case{1, 2, 2, 16, 3, 2, 0, 1}));

TEST(DepthwiseTest, SupportsKnownShapesOnly) {
  EXPECT_TRUE(DepthwiseSupports(24, 5, 2));
  EXPECT_FALSE(DepthwiseSupports(20, 3, 1));
  EXPECT_FALSE(DepthwiseSupports(16, 7, 1));
  EXPECT_FALSE(DepthwiseSupports(16, 3, 3));
}

}  // namespace
}  // namespace terminus::models::kernels
