#include <ATen/ATen.h>

#include "gtest/gtest.h"
#include "models/nn/attention.h"
#include "models/nn/linear.h"
#include "models/nn/mkldnn.h"

namespace terminus::models::nn {
namespace {

double MaxDifference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

TEST(LinearTest, PackedEqualsPlain) {
  at::manual_seed(1);
  const at::Tensor weight = at::randn({48, 24}) / 5;
  const at::Tensor bias = at::randn({48});
  const Linear linear(weight, bias);
  const Linear without_bias(weight, std::nullopt);
  for (const int64_t rows : {1, 3, 64, 200}) {
    const at::Tensor x = at::randn({rows, 24});
    const at::Tensor y = at::linear(x, weight, bias);
    EXPECT_LT(MaxDifference(linear.Forward(x), y), 1e-5);
    EXPECT_LT(MaxDifference(without_bias.Forward(x), at::linear(x, weight)), 1e-5);
    EXPECT_LT(MaxDifference(linear.Forward(x, Activation::kRelu), y.relu()), 1e-5);
    EXPECT_LT(MaxDifference(linear.Forward(x, Activation::kRelu6), y.clamp(0, 6)), 1e-5);
    EXPECT_LT(MaxDifference(linear.Forward(x, Activation::kGelu), at::gelu(y)), 1e-5);
    EXPECT_LT(MaxDifference(linear.Forward(x, Activation::kQuickGelu), y * at::sigmoid(1.702 * y)),
              1e-5);
    EXPECT_LT(MaxDifference(linear.Forward(x, Activation::kGeluTanh), at::gelu(y, "tanh")), 1e-4);
    const at::Tensor residual = at::randn({rows, 48});
    EXPECT_LT(MaxDifference(linear.ForwardAdd(x, residual), y + residual), 1e-5);
  }
}

// The path of processors that our own kernel does not run on.
TEST(MkldnnTest, LinearEqualsPlain) {
  at::manual_seed(1);
  const at::Tensor weight = at::randn({48, 24}) / 5;
  const at::Tensor bias = at::randn({48});
  const at::Tensor packed = mkldnn::PackLinear(weight);
  const at::Tensor x = at::randn({70, 24});
  const at::Tensor y = at::linear(x, weight, bias);
  EXPECT_LT(MaxDifference(mkldnn::Linear(x, packed, bias, Activation::kNone), y), 1e-5);
  EXPECT_LT(MaxDifference(mkldnn::Linear(x, packed, bias, Activation::kRelu), y.relu()), 1e-5);
  EXPECT_LT(MaxDifference(mkldnn::Linear(x, packed, bias, Activation::kRelu6), y.clamp(0, 6)),
            1e-5);
  EXPECT_LT(MaxDifference(mkldnn::Linear(x, packed, bias, Activation::kGelu), at::gelu(y)), 1e-5);
  EXPECT_LT(MaxDifference(mkldnn::Linear(x, packed, bias, Activation::kQuickGelu),
                          y * at::sigmoid(1.702 * y)),
            1e-5);
  EXPECT_LT(
      MaxDifference(mkldnn::Linear(x, packed, bias, Activation::kGeluTanh), at::gelu(y, "tanh")),
      1e-4);
  const at::Tensor residual = at::randn({70, 48});
  EXPECT_LT(MaxDifference(mkldnn::LinearAdd(x, residual, packed, bias), y + residual), 1e-5);
}

// A head size that the kernel takes, and one that falls back.
TEST(AttentionTest, TextsDoNotSeeEachOther) {
  at::manual_seed(1);
  for (const int head_dim : {16, 6}) {
    const int heads = 4;
    const at::Tensor qkv = at::randn({12, 3 * heads * head_dim});
    const at::Tensor all = PackedSelfAttention(qkv, Sequences({0, 5, 12}, at::kCPU), heads);
    const at::Tensor first =
        PackedSelfAttention(qkv.slice(0, 0, 5).contiguous(), Sequences({0, 5}, at::kCPU), heads);
    const at::Tensor second =
        PackedSelfAttention(qkv.slice(0, 5, 12).contiguous(), Sequences({0, 7}, at::kCPU), heads);
    EXPECT_LT(MaxDifference(all, at::cat({first, second})), 1e-6);
    EXPECT_GT(MaxDifference(all, PackedSelfAttention(qkv, Sequences({0, 12}, at::kCPU), heads)),
              1e-2);
  }
}

}  // namespace
}  // namespace terminus::models::nn
