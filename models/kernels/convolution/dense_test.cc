#include "models/kernels/convolution/dense.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "gtest/gtest.h"
#include "models/kernels/aligned.h"

namespace terminus::models::kernels {
namespace {

struct Case {
  int64_t height, width, in, out;
  int kernel, stride;
  int64_t before, after;  // Zeros around.
};

class DenseConvolutionTest : public testing::TestWithParam<Case> {
 protected:
  DenseConvolutionTest() {
    at::manual_seed(1);
    const Case& c = GetParam();
    x_ = at::randn({c.height, c.width, c.in});
    weight_ = at::randn({c.out, c.in, c.kernel, c.kernel}) /
              std::sqrt(static_cast<double>(c.in * c.kernel * c.kernel));
    bias_ = at::randn({c.out});
    const at::Tensor padded = at::constant_pad_nd(x_.to(at::kDouble).permute({2, 0, 1}),
                                                  {c.before, c.after, c.before, c.after});
    const std::array<int64_t, 2> stride = {c.stride, c.stride};
    expected_ =
        at::conv2d(padded.unsqueeze(0), weight_.to(at::kDouble), bias_.to(at::kDouble), stride)
            .squeeze(0)
            .permute({1, 2, 0});  // [rows, columns, out]
    residual_ = at::randn(expected_.sizes(), at::kFloat);
    geometry_ = {.in_height = c.height,
                 .in_width = c.width,
                 .out_height = expected_.size(0),
                 .out_width = expected_.size(1),
                 .pad_top = c.before,
                 .pad_left = c.before};
  }

  at::Tensor Run(const RowKernels& kernels, const Range& range, bool adds, int parts) const {
    const Case& c = GetParam();
    const DenseConvolution made(
        {.in = c.in, .out = c.out, .kernel = c.kernel, .stride = c.stride, .range = range},
        weight_.const_data_ptr<float>(), bias_.const_data_ptr<float>(), kernels);
    at::Tensor y = at::full(expected_.sizes(), NAN, at::kFloat);
    AlignedFloats scratch(made.ScratchFloats(geometry_));
    for (int part = 0; part < parts; ++part) {
      std::fill_n(scratch.data(), scratch.size(), NAN);
      made.Run(geometry_, part, parts, x_.const_data_ptr<float>(),
               adds ? residual_.const_data_ptr<float>() : nullptr, y.mutable_data_ptr<float>(),
               scratch.data());
    }
    return y;
  }

  at::Tensor x_, weight_, bias_, residual_, expected_;
  Geometry geometry_;
};

TEST_P(DenseConvolutionTest, EqualsReferenceInAnyNumberOfParts) {
  for (const RowKernels* kernels : SupportedRowKernels()) {
    for (const bool adds : {false, true}) {
      const at::Tensor sum = adds ? expected_ + residual_ : expected_;
      for (const Range& range : {Range{}, kRelu, kRelu6}) {
        const at::Tensor y = Run(*kernels, range, adds, 1);
        EXPECT_LT((y - sum.clamp(range.low, range.high)).abs().max().item<double>(), 2e-5)
            << kernels->name;
        for (const int parts : {2, 3, 16}) {
          EXPECT_TRUE(at::equal(Run(*kernels, range, adds, parts), y))
              << kernels->name << ", " << parts << " parts";
        }
      }
    }
  }
}

// All kernels and strides, sizes that are no multiple of anything, rows in several strips, and more
// weight than image.
INSTANTIATE_TEST_SUITE_P(
    Shapes, DenseConvolutionTest,
    testing::Values(Case{1, 1, 1, 1, 1, 1, 0, 0}, Case{1, 1, 5, 7, 3, 1, 1, 1},
                    Case{7, 7, 40, 100, 3, 1, 1, 1}, Case{14, 13, 19, 33, 3, 2, 1, 1},
                    Case{15, 14, 8, 50, 3, 2, 0, 1}, Case{40, 36, 64, 16, 3, 1, 1, 1},
                    Case{30, 29, 3, 64, 7, 2, 3, 3}, Case{21, 33, 6, 16, 5, 1, 2, 2},
                    Case{9, 9, 24, 48, 3, 1, 0, 0}, Case{20, 37, 24, 70, 1, 1, 0, 0},
                    Case{13, 11, 24, 70, 1, 2, 0, 0}, Case{3, 4, 96, 200, 1, 1, 0, 0},
                    Case{33, 40, 64, 17, 1, 1, 0, 0}, Case{12, 10, 4, 9, 2, 3, 0, 0}));

// The same of Winograd's: whole tiles and not, without zeros around, one pixel.
INSTANTIATE_TEST_SUITE_P(Winograd, DenseConvolutionTest,
                         testing::Values(Case{7, 7, 32, 48, 3, 1, 1, 1},
                                         Case{13, 14, 48, 32, 3, 1, 1, 1},
                                         Case{9, 11, 64, 64, 3, 1, 0, 0},
                                         Case{1, 1, 32, 32, 3, 1, 1, 1},
                                         Case{40, 36, 64, 32, 3, 1, 1, 1}));

}  // namespace
}  // namespace terminus::models::kernels
