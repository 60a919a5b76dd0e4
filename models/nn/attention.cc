#include "models/nn/attention.h"

#include "models/kernels/attention/packed_attention.h"

namespace terminus::models::nn {
namespace {

// Any device, dtype and head size: LibTorch's attention, one text at a time.
at::Tensor ByText(const at::Tensor& qkv, const std::vector<int32_t>& offsets, int heads,
                  int head_dim) {
  at::Tensor out = at::empty({qkv.size(0), heads, head_dim}, qkv.options());
  const at::Tensor split = qkv.view({qkv.size(0), 3, heads, head_dim});
  for (size_t i = 0; i + 1 < offsets.size(); ++i) {
    // [3, 1, heads, length, head_dim]
    const at::Tensor text =
        split.slice(0, offsets[i], offsets[i + 1]).permute({1, 2, 0, 3}).unsqueeze(1);
    out.slice(0, offsets[i], offsets[i + 1])
        .copy_(
            at::scaled_dot_product_attention(text[0], text[1], text[2]).squeeze(0).transpose(0, 1));
  }
  return out.view({qkv.size(0), -1});
}

}  // namespace

at::Tensor PackedSelfAttention(const at::Tensor& qkv, const std::vector<int32_t>& offsets,
                               int heads) {
  const int64_t hidden = qkv.size(1) / 3;
  const int head_dim = static_cast<int>(hidden / heads);
  if (!qkv.device().is_cpu() || qkv.scalar_type() != at::kFloat ||
      !kernels::PackedAttentionSupports(head_dim)) {
    return ByText(qkv, offsets, heads, head_dim);
  }
  at::Tensor out = at::empty({qkv.size(0), hidden}, qkv.options());
  kernels::PackedAttention({.qkv = qkv.const_data_ptr<float>(),
                            .out = out.mutable_data_ptr<float>(),
                            .offsets = offsets,
                            .heads = heads,
                            .head_dim = head_dim});
  return out;
}

}  // namespace terminus::models::nn
