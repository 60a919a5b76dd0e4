#include "models/kernels/convolution/pool.h"

#include <ATen/ATen.h>

#include <array>
#include <cmath>

#include "gtest/gtest.h"

namespace terminus::models::kernels {
namespace {

TEST(PoolTest, MaxEqualsReference) {
  at::manual_seed(1);
  const std::array<int64_t, 2> kernel = {3, 3};
  const std::array<int64_t, 2> stride = {2, 2};
  const std::array<int64_t, 2> padding = {1, 1};
  for (const auto& [height, width, channels] :
       {std::array<int64_t, 3>{1, 1, 1}, {2, 3, 5}, {9, 8, 64}, {16, 21, 33}}) {
    // All below zero: what is outside does not count.
    const at::Tensor x = at::randn({height, width, channels}) - 10;
    const at::Tensor expected =
        at::max_pool2d(x.permute({2, 0, 1}).unsqueeze(0), kernel, stride, padding)
            .squeeze(0)
            .permute({1, 2, 0});
    const Geometry geometry{.in_height = height,
                            .in_width = width,
                            .out_height = expected.size(0),
                            .out_width = expected.size(1),
                            .pad_top = 1,
                            .pad_left = 1};
    at::Tensor y = at::full(expected.sizes(), NAN);
    const int64_t middle = geometry.out_height / 2;
    for (const auto& [first, last] : {std::pair{int64_t{0}, middle}, {middle, expected.size(0)}}) {
      MaxPool(geometry, channels, first, last, x.const_data_ptr<float>(),
              y.mutable_data_ptr<float>());
    }
    EXPECT_TRUE(at::equal(y, expected)) << height << " × " << width;
  }
}

TEST(PoolTest, MeanEqualsReference) {
  at::manual_seed(1);
  for (const int64_t pixels : {1, 49}) {
    const at::Tensor x = at::randn({pixels, 37});
    at::Tensor means = at::full({37}, NAN);
    for (const auto& [first, last] : {std::pair{0, 20}, {20, 37}}) {
      MeanPool(x.const_data_ptr<float>(), pixels, 37, first, last, means.mutable_data_ptr<float>());
    }
    EXPECT_LT((means - x.mean({0})).abs().max().item<double>(), 1e-6);
  }
}

}  // namespace
}  // namespace terminus::models::kernels
