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

  // Rows of the channels in between, as the block before would make them.
  auto SourceFor(const DepthwiseProject& block) const {
    return [this, &block](int64_t y, int64_t panel, float* row) {
      const Panel& shape = block.panels()[panel];
      for (int64_t x = 0; x < case_.width; ++x) {
        const float* from =
            in_.const_data_ptr<float>() + (y * case_.width + x) * case_.channels + shape.first;
        std::fill_n(std::copy_n(from, shape.columns, row + x * shape.width),
                    shape.width - shape.columns, 0.0f);
      }
    };
  }

  // Output in shares by rows.
  at::Tensor Run(const DepthwiseProject& block, int64_t shares) const {
    at::Tensor out = at::full(expected_.sizes(), NAN, at::kFloat);
    AlignedFloats scratch = Scratch(block.ScratchFloats(geometry_));
    const int64_t rows = geometry_.out_height;
    for (int64_t i = 0; i < shares; ++i) {
      block.Run(geometry_, rows * i / shares, rows * (i + 1) / shares, SourceFor(block), shortcut(),
                out.mutable_data_ptr<float>(), scratch.data());
    }
    return out;
  }

  // Output in shares by channels, then by pixels.
  at::Tensor RunByChannels(const DepthwiseProject& block, int64_t shares) const {
    at::Tensor out = at::full(expected_.sizes(), NAN, at::kFloat);
    AlignedFloats scratch = Scratch(block.ScratchFloats(geometry_));
    AlignedFloats filtered = Scratch(block.FilteredFloats(geometry_));
    const auto panels = static_cast<int64_t>(block.panels().size());
    for (int64_t i = 0; i < shares; ++i) {
      block.Filter(geometry_, panels * i / shares, panels * (i + 1) / shares, SourceFor(block),
                   filtered.data(), scratch.data());
    }
    const int64_t pixels = geometry_.out_height * geometry_.out_width;
    for (int64_t i = 0; i < shares; ++i) {
      block.Project(geometry_, pixels * i / shares, pixels * (i + 1) / shares, filtered.data(),
                    shortcut(), out.mutable_data_ptr<float>());
    }
    return out;
  }

  double Error(const at::Tensor& out) const {
    const double error = (out.to(at::kDouble) - expected_).abs().max().item<double>();
    return std::isnan(error) ? 1e9 : error;
  }
  const Geometry& geometry() const { return geometry_; }

 private:
  static AlignedFloats Scratch(int64_t size) {
    AlignedFloats scratch(size);
    std::fill_n(scratch.data(), size, NAN);
    return scratch;
  }
  const float* shortcut() const {
    return case_.shortcut ? shortcut_.const_data_ptr<float>() : nullptr;
  }

  Case case_;
  at::Tensor in_, depthwise_, depthwise_bias_, project_, project_bias_, shortcut_, expected_;
  Geometry geometry_;
};

class DepthwiseProjectTest : public testing::TestWithParam<Case> {};

TEST_P(DepthwiseProjectTest, EqualsReference) {
  const Block block(GetParam());
  for (const RowKernels* kernels : SupportedRowKernels()) {
    EXPECT_LT(block.Error(block.Run(block.Make(*kernels), 1)), 1e-4) << kernels->name;
  }
}

TEST_P(DepthwiseProjectTest, SharesAreTheWholeToTheBit) {
  const Block block(GetParam());
  for (const RowKernels* kernels : SupportedRowKernels()) {
    const DepthwiseProject made = block.Make(*kernels);
    const at::Tensor whole = block.Run(made, 1);
    EXPECT_TRUE(at::equal(block.Run(made, 3), whole)) << kernels->name;
    if (made.SharesByChannels(block.geometry())) {
      EXPECT_TRUE(at::equal(block.RunByChannels(made, 1), whole)) << kernels->name;
      EXPECT_TRUE(at::equal(block.RunByChannels(made, 3), whole)) << kernels->name;
    }
  }
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
