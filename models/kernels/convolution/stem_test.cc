#include "models/kernels/convolution/stem.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "gtest/gtest.h"
#include "models/kernels/aligned.h"

namespace terminus::models::kernels {
namespace {

struct Case {
  int64_t height, width, out;
  int64_t before, after;  // Zeros around.
};

class StemTest : public testing::TestWithParam<Case> {};

TEST_P(StemTest, EqualsReference) {
  const Case& c = GetParam();
  at::manual_seed(1);
  const PixelTransform transform{.scale = {0.02f, 0.01f, 0.03f}, .shift = {-1, 0.5f, -2}};
  const at::Tensor pixels = at::randint(0, 256, {c.height, c.width, 3}, at::kByte);
  const at::Tensor weight = at::randn({c.out, 3, 3, 3});
  const at::Tensor bias = at::randn({c.out});
  const at::Tensor normalised =
      pixels.to(at::kDouble) * at::tensor({0.02f, 0.01f, 0.03f}) + at::tensor({-1.0f, 0.5f, -2.0f});
  const at::Tensor padded = at::constant_pad_nd(normalised.permute({2, 0, 1}).unsqueeze(0),
                                                {c.before, c.after, c.before, c.after});
  const std::array<int64_t, 2> stride = {2, 2};
  const at::Tensor expected =
      at::conv2d(padded, weight.to(at::kDouble), bias.to(at::kDouble), stride)
          .clamp(0, 6)
          .squeeze(0)
          .permute({1, 2, 0});  // [rows, columns, out]
  const Geometry geometry{.in_height = c.height,
                          .in_width = c.width,
                          .out_height = expected.size(0),
                          .out_width = expected.size(1),
                          .pad_top = c.before,
                          .pad_left = c.before};
  for (const RowKernels* kernels : SupportedRowKernels()) {
    const Stem stem(weight.const_data_ptr<float>(), bias.const_data_ptr<float>(), c.out, transform,
                    *kernels);
    // From the first row, and as another thread would begin, in the middle.
    for (const int64_t first : {int64_t{0}, geometry.out_height / 2}) {
      AlignedFloats scratch(Stem::ScratchFloats(geometry));
      std::fill_n(scratch.data(), scratch.size(), NAN);
      Stem::Image image(stem, geometry, pixels.const_data_ptr<uint8_t>(), scratch.data());
      for (size_t i = 0; i < stem.panels().size(); ++i) {
        const Panel& panel = stem.panels()[i];
        for (int64_t y = first; y < geometry.out_height; ++y) {
          at::Tensor row = at::full({geometry.out_width, panel.width}, NAN);
          image.Row(y, static_cast<int64_t>(i), row.mutable_data_ptr<float>());
          const at::Tensor error = row.slice(1, 0, panel.columns).to(at::kDouble) -
                                   expected[y].slice(1, panel.first, panel.first + panel.columns);
          ASSERT_TRUE(error.abs().max().item<double>() < 1e-4) << kernels->name << ", row " << y;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, StemTest,
                         testing::Values(Case{8, 8, 32, 0, 1}, Case{9, 13, 32, 1, 1},
                                         Case{10, 7, 20, 1, 1}, Case{1, 1, 16, 1, 1},
                                         Case{32, 40, 48, 0, 1}));

}  // namespace
}  // namespace terminus::models::kernels
