#include "models/nn/attention.h"

#include "common/base/check.h"
#include "models/kernels/attention/packed_attention.h"
#include "models/nn/cuda_ops.h"

namespace terminus::models::nn {
namespace {

// LibTorch's attention over texts of one length: qkv [texts, length, 3, heads, head_dim] →
// [texts, length, heads, head_dim].
at::Tensor Attend(const at::Tensor& qkv, bool causal) {
  const at::Tensor parts = qkv.permute({2, 0, 3, 1, 4});  // [3, texts, heads, length, head_dim]
  return at::scaled_dot_product_attention(parts[0], parts[1], parts[2], /*attn_mask=*/std::nullopt,
                                          /*dropout_p=*/0, causal)
      .transpose(1, 2);
}

// Any device, dtype and head size.
at::Tensor ByAten(const at::Tensor& qkv, const Sequences& sequences, int heads, int head_dim,
                  bool causal) {
  const int64_t length = sequences.equal_length();
  if (length > 0 && sequences.rows() == qkv.size(0)) {
    return Attend(qkv.view({-1, length, 3, heads, head_dim}), causal).reshape({qkv.size(0), -1});
  }
  at::Tensor out = at::empty({qkv.size(0), heads, head_dim}, qkv.options());
  const at::Tensor split = qkv.view({qkv.size(0), 3, heads, head_dim});
  const std::vector<int32_t>& offsets = sequences.offsets();
  for (size_t i = 0; i + 1 < offsets.size(); ++i) {
    const at::Tensor text = split.slice(0, offsets[i], offsets[i + 1]).unsqueeze(0);
    out.slice(0, offsets[i], offsets[i + 1]).copy_(Attend(text, causal).squeeze(0));
  }
  return out.view({qkv.size(0), -1});
}

}  // namespace

bool AttentionWritesFp8(const at::Tensor& qkv, const Sequences& sequences, int heads) {
  return cuda_ops::Serves(qkv) &&
         cuda_ops::TakesAttention(qkv.size(1) / 3 / heads, sequences.longest());
}

bool AttentionIsCapturable(const at::Tensor& like, int64_t head_dim, int32_t longest) {
  return cuda_ops::Serves(like) && cuda_ops::TakesAttention(head_dim, longest);
}

at::Tensor PackedSelfAttention(const at::Tensor& qkv, const Sequences& sequences, int heads,
                               bool causal, std::optional<float> fp8_scale) {
  const int64_t hidden = qkv.size(1) / 3;
  const int head_dim = static_cast<int>(hidden / heads);
  if (AttentionWritesFp8(qkv, sequences, heads)) {
    return cuda_ops::Attention(qkv, sequences, heads, causal, fp8_scale);
  }
  TERMINUS_CHECK(!fp8_scale);
  if (!qkv.device().is_cpu() || qkv.scalar_type() != at::kFloat ||
      !kernels::PackedAttentionSupports(head_dim)) {
    return ByAten(qkv, sequences, heads, head_dim, causal);
  }
  at::Tensor out = at::empty({qkv.size(0), hidden}, qkv.options());
  kernels::PackedAttention({.qkv = qkv.const_data_ptr<float>(),
                            .out = out.mutable_data_ptr<float>(),
                            .offsets = sequences.offsets(),
                            .heads = heads,
                            .head_dim = head_dim,
                            .causal = causal});
  return out;
}

}  // namespace terminus::models::nn
