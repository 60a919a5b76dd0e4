#include "models/kernels/norm/layer_norm.h"

#include <ATen/ATen.h>

#include "gtest/gtest.h"

namespace terminus::models::kernels {
namespace {

TEST(LayerNormTest, EqualsReference) {
  at::manual_seed(1);
  for (const int simd_width : {0, 8, 16}) {
    if (simd_width != 0 && !SimdSupports(simd_width)) {
      continue;
    }
    for (const int64_t rows : {1, 3, 500}) {
      for (const int64_t width : {1, 7, 16, 24, 33, 384, 1027}) {
        // Far from zero: the variance must not be the difference of two large numbers.
        const at::Tensor x = at::randn({rows, width}) * 2 + 10;
        const at::Tensor weight = at::randn({width});
        const at::Tensor bias = at::randn({width});
        const at::Tensor expected = at::layer_norm(
            x.to(at::kDouble), {width}, weight.to(at::kDouble), bias.to(at::kDouble), 1e-3);
        at::Tensor y = at::full({rows, width}, NAN);
        LayerNormArgs args = {.x = x.const_data_ptr<float>(),
                              .weight = weight.const_data_ptr<float>(),
                              .bias = bias.const_data_ptr<float>(),
                              .y = y.data_ptr<float>(),
                              .rows = rows,
                              .width = width,
                              .eps = 1e-3};
        LayerNorm(args, simd_width);
        EXPECT_LT((y.to(at::kDouble) - expected).abs().max().item<double>(), 1e-4)
            << rows << " x " << width << ", vectors of " << simd_width;
        // In place.
        at::Tensor same = x.clone();
        args.x = args.y = same.data_ptr<float>();
        LayerNorm(args, simd_width);
        EXPECT_TRUE(same.equal(y));
      }
    }
  }
}

}  // namespace
}  // namespace terminus::models::kernels
