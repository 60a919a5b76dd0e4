#include "models/kernels/gemm/packed_gemm.h"

#include <ATen/ATen.h>

#include "gtest/gtest.h"

namespace terminus::models::kernels {
namespace {

at::Tensor Apply(const at::Tensor& y, Activation activation) {
  switch (activation) {
    case Activation::kNone:
      return y;
    case Activation::kRelu:
      return y.relu();
    case Activation::kRelu6:
      return y.clamp(0, 6);
    case Activation::kGelu:
      return at::gelu(y);
    case Activation::kGeluTanh:
      return at::gelu(y, "tanh");
    case Activation::kQuickGelu:
      return y * at::sigmoid(1.702 * y);
  }
  return y;
}

at::Tensor Multiply(int width, const at::Tensor& x, const at::Tensor& weight,
                    const at::Tensor& bias, const at::Tensor& residual, Activation activation) {
  const int64_t in = weight.size(1);
  const int64_t out = weight.size(0);
  at::Tensor packed = at::empty({PackedSize(in, out, width)});
  PackWeight(weight.const_data_ptr<float>(), in, out, packed.data_ptr<float>(), width);
  at::Tensor y = at::full({x.size(0), out}, NAN);
  PackedGemm({.x = x.const_data_ptr<float>(),
              .weight = packed.const_data_ptr<float>(),
              .bias = bias.defined() ? bias.const_data_ptr<float>() : nullptr,
              .residual = residual.defined() ? residual.const_data_ptr<float>() : nullptr,
              .y = y.data_ptr<float>(),
              .rows = x.size(0),
              .in = in,
              .out = out,
              .activation = activation},
             width);
  return y;
}

// Every width that this processor has.
class PackedGemmTest : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    if (!SimdSupports(GetParam())) {
      GTEST_SKIP() << "this processor has no vectors of " << GetParam() << " floats";
    }
    at::manual_seed(1);
  }
};

TEST_P(PackedGemmTest, EqualsReference) {
  for (const int64_t rows : {1, 2, 5, 6, 7, 12, 13, 16, 97, 300}) {
    for (const int64_t out : {1, 8, 9, 16, 24, 31, 40, 64, 112}) {
      for (const int64_t in : {1, 7, 96}) {
        const at::Tensor x = at::randn({rows, in});
        const at::Tensor weight = at::randn({out, in}) / std::sqrt(in);
        const at::Tensor bias = at::randn({out}) * 3;
        const at::Tensor residual = at::randn({rows, out});
        const at::Tensor expected = at::matmul(x.to(at::kDouble), weight.t().to(at::kDouble));
        for (const Activation activation :
             {Activation::kNone, Activation::kRelu, Activation::kRelu6, Activation::kGelu,
              Activation::kGeluTanh, Activation::kQuickGelu}) {
          const at::Tensor full = Apply(expected + bias, activation) + residual;
          EXPECT_LT((Multiply(GetParam(), x, weight, bias, residual, activation) - full)
                        .abs()
                        .max()
                        .item<double>(),
                    5e-6)
              << rows << "x" << in << "x" << out << " activation " << static_cast<int>(activation);
        }
        EXPECT_LT((Multiply(GetParam(), x, weight, {}, {}, Activation::kNone) - expected)
                      .abs()
                      .max()
                      .item<double>(),
                  5e-6);
      }
    }
  }
}

TEST_P(PackedGemmTest, GeluHoldsFarFromZero) {
  const at::Tensor x =
      at::tensor({-100.f, -20.f, -6.f, -1e-4f, 0.f, 1e-4f, 6.f, 20.f, 100.f}).view({-1, 1});
  const at::Tensor one = at::ones({1, 1});
  for (const Activation activation :
       {Activation::kGelu, Activation::kGeluTanh, Activation::kQuickGelu}) {
    const at::Tensor expected = Apply(x.to(at::kDouble), activation);
    EXPECT_LT(
        (Multiply(GetParam(), x, one, {}, {}, activation) - expected).abs().max().item<double>(),
        1e-6);
  }
}

TEST_P(PackedGemmTest, RowsDoNotDependOnTheirNeighbours) {
  const at::Tensor x = at::randn({131, 33});
  const at::Tensor weight = at::randn({50, 33});
  const at::Tensor all = Multiply(GetParam(), x, weight, {}, {}, Activation::kGelu);
  for (const int64_t row : {0, 11, 12, 95, 96, 130}) {
    EXPECT_TRUE(all.slice(0, row, row + 1)
                    .equal(Multiply(GetParam(), x.slice(0, row, row + 1), weight, {}, {},
                                    Activation::kGelu)));
  }
}

// Enough inputs for several chunks of rows, and panels for several threads.
TEST_P(PackedGemmTest, SharesWorkOut) {
  const at::Tensor x = at::randn({333, 1536});
  const at::Tensor weight = at::randn({200, 1536}) / 40;
  const at::Tensor bias = at::randn({200});
  const at::Tensor expected = at::matmul(x.to(at::kDouble), weight.t().to(at::kDouble)) + bias;
  EXPECT_LT((Multiply(GetParam(), x, weight, bias, {}, Activation::kNone) - expected)
                .abs()
                .max()
                .item<double>(),
            2e-5);
}

INSTANTIATE_TEST_SUITE_P(Widths, PackedGemmTest, testing::ValuesIn(kSimdWidths));

}  // namespace
}  // namespace terminus::models::kernels
