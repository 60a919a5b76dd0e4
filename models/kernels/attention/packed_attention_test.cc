#include "models/kernels/attention/packed_attention.h"

#include <ATen/ATen.h>

#include "gtest/gtest.h"

namespace terminus::models::kernels {
namespace {

// The slow reference: each text and head alone, in double precision.
at::Tensor Reference(const at::Tensor& qkv, absl::Span<const int32_t> offsets, bool causal) {
  const int64_t head_dim = qkv.size(3);
  at::Tensor out = at::empty({qkv.size(0), qkv.size(2), head_dim}, at::kDouble);
  for (size_t i = 0; i + 1 < offsets.size(); ++i) {
    // [3, heads, length, head_dim]
    const at::Tensor text =
        qkv.slice(0, offsets[i], offsets[i + 1]).to(at::kDouble).permute({1, 2, 0, 3});
    at::Tensor scores =
        at::matmul(text[0], text[1].transpose(-1, -2)) / std::sqrt(static_cast<double>(head_dim));
    if (causal) {
      scores.masked_fill_(at::ones_like(scores[0]).triu(1).to(at::kBool), -INFINITY);
    }
    out.slice(0, offsets[i], offsets[i + 1])
        .copy_(at::matmul(at::softmax(scores, -1), text[2]).transpose(0, 1));
  }
  return out;
}

struct Case {
  std::vector<int32_t> offsets;
  int heads;
  int head_dim;
  double spread;
};

class PackedAttentionTest : public testing::TestWithParam<Case> {};

TEST_P(PackedAttentionTest, EqualsReference) {
  const Case& c = GetParam();
  at::manual_seed(1);
  const at::Tensor qkv = at::randn({c.offsets.back(), 3, c.heads, c.head_dim}) * c.spread;
  ASSERT_TRUE(PackedAttentionSupports(c.head_dim));
  for (const auto& [width, causal] :
       {std::pair(0, false), std::pair(8, false), std::pair(16, false), std::pair(0, true),
        std::pair(8, true), std::pair(16, true)}) {
    if (width != 0 && !SimdSupports(width)) {
      continue;
    }
    const at::Tensor expected = Reference(qkv, c.offsets, causal);
    at::Tensor out = at::full({c.offsets.back(), c.heads, c.head_dim}, NAN);
    PackedAttention({.qkv = qkv.const_data_ptr<float>(),
                     .out = out.data_ptr<float>(),
                     .offsets = c.offsets,
                     .heads = c.heads,
                     .head_dim = c.head_dim,
                     .causal = causal},
                    width);
    // The scores grow with the square of the spread, and their rounding with them.
    EXPECT_LT((out.to(at::kDouble) - expected).abs().max().item<double>(),
              4e-6 * c.spread * c.spread)
        << "width " << width << (causal ? ", causal" : "");
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, PackedAttentionTest,
                         testing::Values(Case{{0, 1}, 1, 16, 1},                    //
                                         Case{{0, 7}, 12, 32, 1},                   //
                                         Case{{0, 1, 3, 6, 10, 15, 21}, 2, 32, 1},  //
                                         Case{{0, 5, 6, 39, 71, 80}, 12, 32, 1},    //
                                         Case{{0, 32, 64, 97}, 2, 64, 1},           //
                                         Case{{0, 512, 520}, 3, 48, 1},             //
                                         Case{{0, 40, 44}, 2, 32, 10},              //
                                         Case{{0, 3, 6, 9, 12, 15, 18}, 1, 128, 3}  //
                                         ));

TEST(PackedAttentionTest, SupportsWholeVectorsOnly) {
  EXPECT_FALSE(PackedAttentionSupports(0));
  EXPECT_FALSE(PackedAttentionSupports(8));
  EXPECT_FALSE(PackedAttentionSupports(40));
  EXPECT_TRUE(PackedAttentionSupports(48));
}

}  // namespace
}  // namespace terminus::models::kernels
