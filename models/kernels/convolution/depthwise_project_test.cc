#include "models/kernels/convolution/depthwise_project.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "gtest/gtest.h"
#include "models/kernels/aligned.h"

namespace terminus::models::kernels {
namespace {

struct Case {
  int64_t height, width, channels, out_channels;
  int kernel, stride;
  int64_t before, after;  // Zeros around.
  bool shortcut = false;
};

// A block with random weights and inputs, and what ATen makes of it in double precision.
class Block {
 public:
  explicit Block(const Case& c) : case_(c) {
    at::manual_seed(1);
    // [height, width, channels], as the channels in between come out of a ReLU6.
    in_ = at::randn({c.height, c.width, c.channels}).mul(3).clamp(0, 6);
    depthwise_ = at::randn({c.channels, 1, c.kernel, c.kernel});
    depthwise_bias_ = at::randn({c.channels});
    project_ = at::randn({c.out_channels, c.channels}) / 8;
    project_bias_ = at::randn({c.out_channels});
    const at::Tensor padded = at::constant_pad_nd(in_.permute({2, 0, 1}).unsqueeze(0),
                                                  {c.before, c.after, c.before, c.after});
    const std::array<int64_t, 2> stride = {c.stride, c.stride};
    const std::array<int64_t, 2> no_padding = {0, 0};
    const std::array<int64_t, 2> dilation = {1, 1};
    const at::Tensor filtered =
        at::conv2d(padded.to(at::kDouble), depthwise_.to(at::kDouble),
                   depthwise_bias_.to(at::kDouble), stride, no_padding, dilation, c.channels)
            .clamp(0, 6);
    expected_ = at::linear(filtered.squeeze(0).permute({1, 2, 0}), project_.to(at::kDouble),
                           project_bias_.to(at::kDouble));
    shortcut_ = at::randn(expected_.sizes(), at::kFloat);
    if (c.shortcut) {
      expected_ = expected_ + shortcut_;
    }
    geometry_ = {.in_height = c.height,
                 .in_width = c.width,
                 .out_height = expected_.size(0),
                 .out_width = expected_.size(1),
                 .pad_top = c.before,
                 .pad_left = c.before};
  }

  DepthwiseProject Make(const RowKernels& kernels) const {
    return DepthwiseProject(
        {case_.channels, case_.out_channels, case_.kernel, case_.stride},
        depthwise_.const_data_ptr<float>(), depthwise_bias_.const_data_ptr<float>(),
        project_.const_data_ptr<float>(), project_bias_.const_data_ptr<float>(), kernels);
  }

  // Computes one share into `out`.
  void Run(const DepthwiseProject& block, const DepthwiseProject::Share& share,
           at::Tensor& out) const {
    AlignedFloats scratch(block.ScratchFloats(geometry_));
    std::fill_n(scratch.data(), scratch.size(), NAN);
    const auto source = [&](int64_t y, int64_t panel, float* row) {
      const Panel& shape = block.panels()[panel];
      for (int64_t x = 0; x < case_.width; ++x) {
        const float* from =
            in_.const_data_ptr<float>() + (y * case_.width + x) * case_.channels + shape.first;
        std::fill_n(std::copy_n(from, shape.columns, row + x * shape.width),
                    shape.width - shape.columns, 0.0f);
      }
    };
    block.Run(geometry_, share, source,
              case_.shortcut ? shortcut_.const_data_ptr<float>() : nullptr,
              out.mutable_data_ptr<float>(), scratch.data());
  }

  at::Tensor NewOut() const { return at::full(expected_.sizes(), NAN, at::kFloat); }
  double Error(const at::Tensor& out) const {
    const double error = (out.to(at::kDouble) - expected_).abs().max().item<double>();
    return std::isnan(error) ? 1e9 : error;
  }
  const Geometry& geometry() const { return geometry_; }

 private:
  Case case_;
  at::Tensor in_, depthwise_, depthwise_bias_, project_, project_bias_, shortcut_, expected_;
  Geometry geometry_;
};

class DepthwiseProjectTest : public testing::TestWithParam<Case> {};

TEST_P(DepthwiseProjectTest, EqualsReference) {
  const Block block(GetParam());
  for (const RowKernels* kernels : SupportedRowKernels()) {
    const DepthwiseProject made = block.Make(*kernels);
    at::Tensor out = block.NewOut();
    block.Run(made, made.Whole(block.geometry()), out);
    EXPECT_LT(block.Error(out), 1e-4) << kernels->name;
  }
}

TEST_P(DepthwiseProjectTest, SharesByRowsAreTheWhole) {
  const Block block(GetParam());
  const DepthwiseProject made = block.Make(*SupportedRowKernels().front());
  at::Tensor whole = block.NewOut();
  block.Run(made, made.Whole(block.geometry()), whole);
  at::Tensor out = block.NewOut();
  DepthwiseProject::Share share = made.Whole(block.geometry());
  const int64_t rows = block.geometry().out_height;
  for (int64_t i = 0; i < 3; ++i) {
    share.first_row = rows * i / 3;
    share.last_row = rows * (i + 1) / 3;
    block.Run(made, share, out);
  }
  EXPECT_TRUE(at::equal(out, whole));
}

TEST_P(DepthwiseProjectTest, SharesByChannelsAddUp) {
  const Block block(GetParam());
  const DepthwiseProject made = block.Make(*SupportedRowKernels().front());
  const auto panels = static_cast<int64_t>(made.panels().size());
  const int64_t shares = std::min<int64_t>(3, panels);
  at::Tensor sum = at::zeros_like(block.NewOut());
  for (int64_t i = 0; i < shares; ++i) {
    at::Tensor out = block.NewOut();
    DepthwiseProject::Share share = made.Whole(block.geometry());
    share.first_panel = panels * i / shares;
    share.last_panel = panels * (i + 1) / shares;
    block.Run(made, share, out);
    sum += out;
  }
  EXPECT_LT(block.Error(sum), 1e-4);
}

// Small images are made whole, larger ones strip by strip.
INSTANTIATE_TEST_SUITE_P(
    Shapes, DepthwiseProjectTest,
    testing::Values(Case{9, 11, 16, 24, 3, 1, 1, 1}, Case{14, 14, 240, 40, 5, 1, 2, 2, true},
                    Case{7, 7, 1152, 320, 3, 1, 1, 1}, Case{13, 11, 20, 8, 3, 2, 1, 1},
                    Case{12, 12, 672, 13, 5, 2, 1, 2}, Case{1, 1, 24, 16, 5, 2, 2, 2},
                    Case{2, 3, 48, 16, 5, 1, 2, 2, true}, Case{2, 2, 8, 8, 3, 2, 0, 1},
                    Case{56, 60, 144, 24, 3, 1, 1, 1, true}, Case{31, 47, 96, 24, 3, 2, 1, 1},
                    Case{40, 40, 100, 21, 5, 2, 1, 2}, Case{29, 30, 240, 40, 5, 1, 2, 2, true},
                    Case{30, 28, 32, 16, 3, 2, 0, 1}));

}  // namespace
}  // namespace terminus::models::kernels
