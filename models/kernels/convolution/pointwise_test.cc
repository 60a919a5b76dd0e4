#include "models/kernels/convolution/pointwise.h"

#include <ATen/ATen.h>

#include "gtest/gtest.h"
#include "models/kernels/aligned.h"

namespace terminus::models::kernels {
namespace {

struct Case {
  int64_t pixels, in, out;
};

class PointwiseTest : public testing::TestWithParam<Case> {
 protected:
  PointwiseTest() {
    at::manual_seed(1);
    const Case& c = GetParam();
    x_ = at::randn({c.pixels, c.in});
    weight_ = at::randn({c.out, c.in});
    bias_ = at::randn({c.out});
    expected_ =
        at::linear(x_.to(at::kDouble), weight_.to(at::kDouble), bias_.to(at::kDouble)).clamp(0, 6);
  }

  Pointwise Make(const RowKernels& kernels) const {
    return Pointwise(weight_.const_data_ptr<float>(), bias_.const_data_ptr<float>(), GetParam().in,
                     GetParam().out, kernels);
  }

  at::Tensor x_, weight_, bias_, expected_;
};

TEST_P(PointwiseTest, EqualsReference) {
  for (const RowKernels* kernels : SupportedRowKernels()) {
    const Pointwise made = Make(*kernels);
    int64_t channels = 0;
    for (size_t i = 0; i < made.panels().size(); ++i) {
      const Panel& panel = made.panels()[i];
      ASSERT_EQ(panel.first, channels);
      channels += panel.columns;
      at::Tensor y = at::full({GetParam().pixels, panel.width}, NAN);
      made.Run(x_.const_data_ptr<float>(), GetParam().pixels, static_cast<int64_t>(i),
               y.mutable_data_ptr<float>());
      const at::Tensor error = y.slice(1, 0, panel.columns).to(at::kDouble) -
                               expected_.slice(1, panel.first, panel.first + panel.columns);
      EXPECT_TRUE(error.abs().max().item<double>() < 1e-4) << kernels->name << ", panel " << i;
      // What fills the last vector up is 0, so that sums over it are.
      EXPECT_EQ(y.slice(1, panel.columns).abs().sum().item<double>(), 0);
    }
    EXPECT_EQ(channels, GetParam().out);
  }
}

TEST_P(PointwiseTest, MeansEqualReference) {
  for (const RowKernels* kernels : SupportedRowKernels()) {
    const Pointwise made = Make(*kernels);
    AlignedFloats scratch(made.MeansScratchFloats(GetParam().pixels));
    at::Tensor means = at::full({GetParam().out}, NAN);
    const auto panels = static_cast<int64_t>(made.panels().size());
    for (const auto& [first, last] : {std::pair(int64_t{0}, panels / 2), {panels / 2, panels}}) {
      made.Means(x_.const_data_ptr<float>(), GetParam().pixels, first, last,
                 means.mutable_data_ptr<float>(), scratch.data());
    }
    const at::Tensor error = means.to(at::kDouble) - expected_.mean({0});
    EXPECT_TRUE(error.abs().max().item<double>() < 1e-4) << kernels->name;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, PointwiseTest,
                         testing::Values(Case{1, 1, 1}, Case{7, 24, 144}, Case{14, 16, 96},
                                         Case{49, 320, 1280}, Case{5, 33, 100}, Case{13, 40, 8}));

}  // namespace
}  // namespace terminus::models::kernels
